"""The demo's reps: they call whom they owe an answer or a call, open their briefs or do not, and answer now and then.

Always the same way for the same seed, and only through the front doors: a call is written into the CRM, which the next
export shows; an answer goes the way of a rep's page.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import aliased

from accounts.answers import AnswerKind, Said, Via
from accounts.briefs import AccountBrief, Brief, SeatState
from accounts.briefs.stored import from_payload
from accounts.errors import Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.links import note_opened
from accounts.models import Account, Rep, SlaClock, Stakeholder
from accounts.models import Brief as BriefRow
from accounts.vocabulary import BriefState, Side
from flows.demo.world import World, sales_call
from flows.house import House
from flows.sales.answers import answer


@dataclass(frozen=True, slots=True)
class Temper:
    """How a rep works: how often whom they owe a call is called that morning, a brief is opened, something answered."""

    opens: float
    calls: float
    answers: float


#: By the rep's mailbox. One reads nothing: their briefs get rarer and shorter.
TEMPERS = {
    "ravi": Temper(1.0, 1.0, 0.7),
    "johanna": Temper(0.9, 0.95, 0.5),
    "sofia": Temper(0.9, 0.95, 0.6),
    "marcus": Temper(0.0, 0.75, 0.0),
    "mei": Temper(1.0, 0.95, 0.5),
    "arun": Temper(0.6, 0.9, 0.3),
}
#: Hours on the rep's own clock in which they plan their calls.
MORNING = range(6, 9)
SATURDAY = 5
#: Who goes on holiday, from and until which day of the story, and who stands in.
HOLIDAY = ("johanna", 7, 16, "ravi")

OBJECTIONS = (
    "the meters must not stop the line while they are fitted",
    "two years of contract are too long",
    "they doubt that the savings hold in winter",
)


class Sellers:
    """The reps' side: calls in the morning; each brief is read once, in the hours after it came."""

    def __init__(self, house: House, world: World, seed: int) -> None:
        self.house, self.world, self.seed = house, world, seed
        self._read: set[int] = set()
        self._called: set[int] = set()

    def leave(self, start: datetime) -> None:
        """The holiday is written into the reps' table, as the CRM's calendar would have it."""
        name, first, last, backup = HOLIDAY
        with writing(self.house.engine) as connection:
            reps = {email.partition("@")[0]: id for email, id in connection.execute(select(Rep.email, Rep.id))}
            away = {"away_from": start + timedelta(days=first), "away_until": start + timedelta(days=last)}
            connection.execute(update(Rep).where(Rep.id == reps[name]).values(**away, backup_id=reps[backup]))

    def read_briefs(self, now: datetime) -> None:
        """What came since they last looked."""
        with reading(self.house.engine) as connection:
            news = [one for one in _delivered(connection, now) if one.id not in self._read]
        for one in news:
            self._read.add(one.id)
            temper = TEMPERS[one.brief.rep_email.partition("@")[0]]
            dice = random.Random(f"{self.seed}/{one.brief.rep_email}/{one.brief.as_of:%Y%m%d}")  # noqa: S311
            if dice.random() < temper.opens:
                with writing(self.house.engine) as connection:
                    note_opened(connection, one.id, now)
                self._answer(one, temper, dice, now)

    def call(self, now: datetime) -> None:
        """Whoever they owe an answer or a call, within the hours of this morning; who is not called is a day later."""
        with reading(self.house.engine) as connection:
            owed = [one for one in _owed(connection) if one.id not in self._called and _is_morning(one.zone, now)]
        for one in owed:
            dice = random.Random(f"{self.seed}/{one.rep}/{one.account}/{now:%Y%m%d}")  # noqa: S311
            if dice.random() < TEMPERS[one.rep.partition("@")[0]].calls:
                self._called.add(one.id)
                at = now + timedelta(minutes=dice.randint(40, 300))
                sales_call(self.world, one.account, one.rep, one.person, at)

    def _answer(self, one: "_Delivered", temper: Temper, dice: random.Random, now: datetime) -> None:
        account = one.brief.accounts[0]
        if dice.random() >= temper.answers:
            return
        said = dice.choice(list(_sayings(account, dice)))
        try:
            answer(
                self.house.engine, self.house.play, said, by=one.brief.rep_email, rep_id=one.rep, via=Via.WEB,
                now=now + timedelta(minutes=5), brief_id=one.id,
            )  # fmt: skip
        except Refused:
            return  # it was answered, or the account went to somebody else meanwhile


@dataclass(frozen=True, slots=True)
class _Delivered:
    id: int
    rep: int
    brief: Brief


@dataclass(frozen=True, slots=True)
class _Owed:
    """A promise of sales that is open; person: who asked, or the first we know there."""

    id: int
    rep: str
    zone: str
    account: str
    person: str


def _owed(connection: Connection) -> list[_Owed]:
    group = aliased(Stakeholder)
    first = select(func.min(group.id)).where(group.account_id == SlaClock.account_id).scalar_subquery()
    query = (
        select(SlaClock.id, Rep.email, Rep.timezone, Account.key, Stakeholder.email)
        .join(Rep, Rep.id == SlaClock.rep_id)
        .join(Account, Account.id == SlaClock.account_id)
        .join(Stakeholder, Stakeholder.id == func.coalesce(SlaClock.stakeholder_id, first))
        .where(SlaClock.side == Side.SALES, SlaClock.closed_at.is_(None))
        .order_by(SlaClock.id)
    )
    return [
        _Owed(id, rep, zone or "UTC", account, person) for id, rep, zone, account, person in connection.execute(query)
    ]


def _is_morning(zone: str, now: datetime) -> bool:
    there = now.astimezone(ZoneInfo(zone))
    return there.hour in MORNING and there.weekday() < SATURDAY


def _delivered(connection: Connection, now: datetime) -> list[_Delivered]:
    query = (
        select(BriefRow.id, BriefRow.rep_id, BriefRow.payload)
        .where(BriefRow.state == BriefState.DELIVERED, BriefRow.as_of <= now)
        .order_by(BriefRow.id)
    )
    return [_Delivered(id, rep, from_payload(payload)) for id, rep, payload in connection.execute(query)]


def _whom(account: AccountBrief) -> int | None:
    """Somebody warm, or else anybody there."""
    there = [seat for seat in account.group if seat.person and seat.state is not SeatState.OUT]
    warm = [seat for seat in there if seat.state is SeatState.WARM]
    return (warm or there)[0].person if there else None


def _sayings(account: AccountBrief, dice: random.Random) -> Iterator[Said]:
    """What this brief gives reason to say."""
    person = _whom(account)
    if person:
        yield Said(AnswerKind.OBJECTION, account.id, person, words=dice.choice(OBJECTIONS))
    yield Said(AnswerKind.RIPE if account.clock else AnswerKind.NOT_YET, account.id)
    for mail in account.planned[:1]:
        yield Said(AnswerKind.VETO, account.id, mail.person, content=mail.content)
