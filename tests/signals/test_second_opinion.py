"""Whatever happens in whatever order (late, twice, weights corrected, people erased, called wrong, in another account,
in another role, accounts in another play, clocks that jump), the ledger says what the second opinion adds up anew.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, insert, or_, select, update

from accounts.identity import email_hash
from accounts.ledger.engagement import scores
from accounts.ledger.engagement.feedback import give_feedback, let_it_weigh
from accounts.ledger.engagement.heats import read_heats
from accounts.ledger.people import holds, vetoes
from accounts.ledger.people.group import set_role
from accounts.ledger.people.privacy import forget
from accounts.ledger.signals.applying import apply_waiting
from accounts.ledger.signals.recorded import Incoming, record
from accounts.ledger.subjects import Subject
from accounts.ledger.suppressions import FORGOTTEN, read_suppressions
from accounts.models import Account, Hold, Signal, Stakeholder
from accounts.playbook import Engagement, Play
from accounts.vocabulary import Heat, Role, Verdict
from tests.cast import NOW, PEOPLE, PLAY, World, address_of
from tests.plays import small_play
from tests.signals.second_opinion import ACCOUNTS, CAST, DAY, NOBODY, Deed, K, Model

ADDRESS = {who: address_of(who, PEOPLE[who][0]) for who in CAST}
KINDS = (K.REPLIED, K.CLICKED, K.VISITED, K.OPENED, K.UNSUBSCRIBED, K.COMPLAINED, K.BOUNCED, K.LEFT_COMPANY,
         K.MEETING_HELD, K.MEETING_BOOKED, K.OUT_OF_OFFICE)  # fmt: skip
#: What a machine can do as well.
OF_MACHINES = (K.CLICKED, K.VISITED, K.OPENED)
WEIGHTS = {K.REPLIED: 12.0, K.CLICKED: 3.0, K.VISITED: 2.0, K.UNSUBSCRIBED: -5.0, K.COMPLAINED: -10.0,
           K.MEETING_HELD: 15.0, K.MEETING_BOOKED: 10.0, K.SAID_RIPE: 12.0, K.SAID_NOT_YET: -4.0}  # fmt: skip
FIRST = Engagement(weights=WEIGHTS, role_weights={Role.CHAMPION: 1.3, Role.ECONOMIC_BUYER: 1.5, Role.UNKNOWN: 0.6})
RULES = (
    FIRST,
    FIRST.model_copy(update={"weights": {**WEIGHTS, K.CLICKED: 0.0, K.BOUNCED: -2.0}}),
    FIRST.model_copy(update={"half_life": 5 * DAY, "breadth_bonus": 0.5, "person_ceiling": 8.0, "heat_points": 1.0}),
)
PLAYS = (PLAY, "renewal")
VERDICTS = {Verdict.RIPE: K.SAID_RIPE, Verdict.NOT_YET: K.SAID_NOT_YET}
#: Thousands were told once; what so few seldom come to has tests of its own.
STORIES = 12
#: One thing that happens: a method of `Ledger`, and what it is handed.
Step = tuple[Any, ...]


class Ledger:
    """The product, told the same."""

    def __init__(self, world: World, connection: Connection, model: Model) -> None:
        self.world, self.connection, self.model = world, connection, model
        self.now, self.newest = NOW, NOW
        self.runs = PLAY
        self.ids = {(who, PEOPLE[who][0]): world.people[who] for who in CAST}
        for key in PLAYS:
            self.weigh(key, FIRST)

    def play(self, key: str) -> Play:
        return small_play(engagement=self.model.rules[key]).model_copy(update={"key": key})

    def subject(self, who: str | None, account: str) -> Subject:
        person = self.ids[who, account] if who else None
        return Subject(self.world.accounts[account], account, person, who and ADDRESS[who])

    # What happens

    def tell(self, names: Iterable[tuple[int, int, int, float, bool]]) -> None:
        batch = []
        for number, person, kind, age, machine in names:
            who = (*CAST, NOBODY)[person]
            account = self.model.home.get(who, "acme")
            at = self.now - timedelta(days=age, seconds=number * 61)
            email = ADDRESS[who] if who in PEOPLE else None
            data = {"machine": True} if machine else {}
            what = KINDS[kind % len(KINDS)]
            batch.append(
                Incoming("test", str(number), what, at, email=email, account=None if email else account, data=data)
            )
            if who not in self.model.erased:
                is_machine = machine and what in OF_MACHINES
                if str(number) not in self.model.told:
                    self.model.fresh.append(str(number))
                self.model.told.setdefault(str(number), Deed(who, account, what, at, is_machine))
        record(self.connection, batch, self.now)

    def apply(self) -> None:
        while apply_waiting(self.connection, self.play(self.runs), self.now).signals:
            pass
        self.model.act()

    def weigh(self, key: str, rules: Engagement) -> None:
        self.model.rules[key] = rules
        scores.reweigh(self.connection, self.play(key), self.now)

    def move(self, account: str, key: str) -> None:
        self.model.plays[account] = key
        there = update(Account).where(Account.key == account)
        self.connection.execute(there.values(play=key))

    def erase(self, who: str) -> None:
        if who in self.model.erased:
            return
        gone = forget(self.connection, ADDRESS[who], self.now)
        scores.recompute(self.connection, gone.accounts)
        self.model.erased.add(who)
        self.model.wrong = {one for one in self.model.wrong if one[0] != who}

    def change(self, who: str) -> None:
        """They go to the other account, which claims them; what they did stays where it was done."""
        there = ACCOUNTS[ACCOUNTS.index(self.model.home[who]) - 1]
        if who in self.model.erased or (who, there) in self.model.rows:
            return
        old = self.connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == self.world.people[who]))
        row = {**old.one()._asdict(), "account_id": self.world.accounts[there], "is_home": True, "role": "end_user"}
        self.connection.execute(update(Stakeholder).where(Stakeholder.email == ADDRESS[who]).values(is_home=False))
        new = insert(Stakeholder).values({name: row[name] for name in row if name != "id"}).returning(Stakeholder.id)
        self.ids[who, there] = self.connection.execute(new).scalar_one()
        self.model.home[who] = there
        self.model.rows.add((who, there))
        self.model.roles[who, there] = Role.END_USER

    def wrong(self, who: str, word: str) -> None:
        if who in self.model.erased:
            return
        account = self.model.home[who]
        subject, id = self.subject(who, account), self.ids[who, account]
        if word == "back":
            vetoes.withdraw(self.connection, id, None)
            self.model.wrong.discard((who, account))
            return
        if word == "wrong":
            give_feedback(self.connection, subject, Verdict.WRONG_PERSON, by="ravi", at=self.now)
            self.model.wrong.add((who, account))
        vetoes.veto(self.connection, id, None, by="ravi" if word == "wrong" else "mia", at=self.now)

    def release(self, account: str) -> None:
        self.apply()
        open_ = self.model.open(account, self.now)
        holds.release(self.connection, self.subject(None, account), by="ravi", at=self.now)
        for name in open_:
            del self.model.held[name]
        if open_:
            self.model.released[account] = max(self.now, self.model.released.get(account, self.now))

    def say(self, who: str | None, account: str, verdict: Verdict) -> None:
        if who in self.model.erased or (who and (who, account) not in self.model.rows):
            return
        let_it_weigh(self.connection, self.subject(who, account), verdict, self.now)
        scores.recompute(self.connection, [self.world.accounts[account]])
        self.model.words[who or NOBODY, account] = Deed(who or NOBODY, account, VERDICTS[verdict], self.now)

    def seat(self, who: str, role: Role) -> None:
        if who not in self.model.erased:
            account = self.model.home[who]
            set_role(self.connection, self.ids[who, account], role, by="ravi", now=self.now)
            self.model.roles[who, account] = role

    # What it says

    def check(self) -> None:
        self.apply()
        for account in ACCOUNTS:
            id = self.world.accounts[account]
            for rules in RULES:
                reading = scores.read_engagement(self.connection, [id], rules, self.now)[id]
                assert reading.score.value == pytest.approx(self.model.score(account, self.now, rules), abs=1e-9)
                lines = math.fsum(one.points for one in reading.contributions)
                assert lines == pytest.approx(reading.score.value, abs=1e-9)
                heat, week, usual = self.model.heat(account, self.now, rules)
                assert (reading.heat.this_week, reading.heat.usual_week) == pytest.approx((week, usual), abs=1e-9)
                assert reading.heat.heat == heat
                assert read_heats(self.connection, [id], rules, self.now).get(id, Heat.STEADY) == heat
            self.check_kept(account, id)
            self.check_holds(account, id)
        self.check_people()

    def check_kept(self, account: str, id: int) -> None:
        """The score that is kept, made of additions; it knows the present only."""
        rules = self.model.rules[self.model.plays[account]]
        if self.now < self.newest:
            return
        for key in PLAYS:  # accounts that changed theirs are scored anew by the next run
            scores.reweigh(self.connection, self.play(key), self.now)
        kept = scores.standings(self.connection, self.now, [id]).get(id)
        assert (kept.value if kept else 0.0) == pytest.approx(self.model.score(account, self.now, rules), abs=1e-9)

    def check_holds(self, account: str, id: int) -> None:
        columns = Signal.source_id, Hold.cause, Hold.starts_at, Hold.ends_at
        standing = select(*columns).join(Signal, Signal.id == Hold.signal_id).where(
            Hold.account_id == id, Hold.released_at.is_(None), Hold.starts_at <= self.now,
            or_(Hold.ends_at.is_(None), Hold.ends_at > self.now),
        )  # fmt: skip
        found = {row.source_id: tuple(row[1:]) for row in self.connection.execute(standing)}
        assert found == self.model.open(account, self.now)

    def check_people(self) -> None:
        columns = Stakeholder.opted_out_at, Stakeholder.email_status, Stakeholder.paused_until
        for who in CAST:
            found = self.connection.execute(select(*columns).where(Stakeholder.email == ADDRESS[who])).all()
            rows = 0 if who in self.model.erased else sum(one == who for one, _ in self.model.rows)
            assert [tuple(row) for row in found] == [self.model.person(who)] * rows
            since = {why: at for why, at, _ in read_suppressions(self.connection, email_hash(ADDRESS[who]))}
            if who in self.model.erased:  # what had not acted by then is gone with the rest, and not missed
                assert since.pop(FORGOTTEN)
                assert since.items() <= self.model.silenced(who).items()
            else:
                assert since == self.model.silenced(who)


def story(chance: Random) -> Iterator[Step]:
    """Thirty things that happen."""

    def deed() -> tuple[int, int, int, float, bool]:
        """Its name, whose it is, what, how many days ago, and whether a machine could have done it."""
        number, person, kind = chance.randrange(60), chance.randrange(len(CAST) + 1), chance.randrange(30)
        return number, person, kind, chance.choice([0.0, chance.uniform(0, 60)]), chance.random() < 0.2

    who, account = partial(chance.choice, CAST), partial(chance.choice, ACCOUNTS)
    common: tuple[Callable[[], Step], ...] = (
        lambda: ("tell", [deed() for _ in range(chance.randint(1, 10))]),
        lambda: ("clock", chance.uniform(-2, 6)),
        lambda: ("check",),
    )
    rare: tuple[Callable[[], Step], ...] = (
        lambda: ("apply",),
        lambda: ("weigh", chance.choice(PLAYS), chance.choice(RULES)),
        lambda: ("run", chance.choice(PLAYS)),
        lambda: ("move", account(), chance.choice(PLAYS)),
        lambda: ("erase", who()) if chance.random() < 0.3 else ("check",),
        lambda: ("wrong", who(), chance.choice(["wrong", "back", "no mail"])),
        lambda: ("wrong", who(), "wrong"),
        lambda: ("change", who()),
        lambda: ("release", account()),
        lambda: ("say", chance.choice([None, "alice", "bob"]), "acme", chance.choice(list(VERDICTS))),
        lambda: ("seat", who(), chance.choice([Role.CHAMPION, Role.END_USER, Role.UNKNOWN])),
    )
    for _ in range(30):
        yield chance.choice(common if chance.random() < 0.6 else rare)()


def live(world: World, connection: Connection, story: Iterable[Step]) -> None:
    model = Model({(who, PEOPLE[who][0]): Role(PEOPLE[who][2]) for who in CAST})
    ledger = Ledger(world, connection, model)
    for name, *more in story:
        if name == "clock":
            ledger.now += timedelta(days=more[0])
        elif name == "run":
            ledger.runs = more[0]
        else:
            getattr(ledger, name)(*more)
        if name in ("tell", "say"):
            ledger.newest = max(ledger.newest, ledger.now)
    ledger.check()


def test_the_ledger_agrees_with_the_second_opinion(world: World) -> None:
    for seed in range(STORIES):
        happened = list(story(Random(seed)))
        with world.engine.connect() as connection, connection.begin() as transaction:
            try:
                live(world, connection, happened)
            except BaseException as error:
                error.add_note(f"story {seed}: {happened}")
                raise
            transaction.rollback()
