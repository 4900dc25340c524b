"""What is read for a brief, on both databases: everything that is news, nothing a machine did, few queries."""

from datetime import timedelta

from sqlalchemy import insert

from accounts.briefs.material import AccountMaterial, RepMaterial
from accounts.ledger.briefs.material import read_material
from accounts.ledger.briefs.written import FIRST_LOOK, read_looks, store_briefs
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Activity, Brief, Hold, Rep, Signal, StageChange, Stakeholder, Veto
from accounts.playbook import Play
from accounts.vocabulary import Answer, BriefState, EmailStatus, HoldCause, Role, SignalKind
from flows.sales.sla import keep_clocks
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.statements import counting

YESTERDAY = NOW - timedelta(days=1)


def read(world: World, play: Play) -> dict[str, RepMaterial]:
    with reading(world.engine) as connection:
        looks = read_looks(connection, NOW)
        return {rep.email.partition("@")[0]: rep for rep in read_material(connection, looks, play, NOW)}


def acme(world: World, play: Play) -> AccountMaterial:
    (account,) = read(world, play)["ravi"].accounts
    assert account.key == "acme"
    return account


def briefed(world: World, rep: str, state: BriefState, days: float = 1, known: tuple[int, ...] = ()) -> None:
    with writing(world.engine) as connection:
        at = NOW - timedelta(days=days)
        store_briefs(connection, [(world.reps[rep], at, 10, {"since": at.isoformat(), "known": list(known)})])
        connection.execute(Brief.__table__.update().where(Brief.as_of == at).values(state=state))


class TestWhatIsRead:
    def test_without_news_no_rep_has_material(self, world: World, play: Play) -> None:
        assert read(world, play) == {}

    def test_the_first_brief_looks_back_a_week(self, world: World, play: Play, signal: Add) -> None:
        signal("alice", "acme", "visited", 6.9)
        signal("gina", "globex", "visited", 7.1)
        ravi = read(world, play)["ravi"]
        assert (ravi.since, ravi.is_first) == (NOW - FIRST_LOOK, True)
        assert [account.key for account in ravi.accounts] == ["acme"]

    def test_later_ones_look_back_to_the_last_brief(self, world: World, play: Play, signal: Add) -> None:
        briefed(world, "ravi", BriefState.DELIVERED)
        signal("alice", "acme", "visited", 1.5)
        assert read(world, play) == {}
        new = signal("alice", "acme", "clicked", 0.5)
        assert [sign.id for sign in acme(world, play).new_signs] == [new]

    def test_a_signal_that_came_in_late_is_news(self, world: World, play: Play, signal: Add) -> None:
        briefed(world, "ravi", BriefState.DELIVERED)
        late = signal("alice", "acme", "webinar_attended", 20, received_at=NOW - timedelta(hours=1))
        signal("alice", "acme", "unsubscribed", 50, received_at=NOW - timedelta(hours=1))  # history, not news
        assert [sign.id for sign in acme(world, play).new_signs] == [late]

    def test_a_signal_that_became_visible_behind_a_briefs_back_is_told_and_one_it_knew_is_not(
        self, world: World, play: Play, signal: Add
    ) -> None:
        known = signal("alice", "acme", "visited", 1.01)
        briefed(world, "ravi", BriefState.DELIVERED, known=(known,))
        missed = signal("bob", "acme", "clicked", 1.01)
        assert [sign.id for sign in acme(world, play).new_signs] == [missed]

    def test_a_brief_that_failed_told_nothing(self, world: World, play: Play, signal: Add) -> None:
        signal("alice", "acme", "visited", 1.5)
        briefed(world, "ravi", BriefState.FAILED)
        briefed(world, "ravi", BriefState.SUPERSEDED, days=0.5)
        assert read(world, play)["ravi"].is_first

    def test_a_brief_of_unknown_fate_is_named_until_one_arrives_for_certain(
        self, world: World, play: Play, signal: Add
    ) -> None:
        briefed(world, "ravi", BriefState.UNKNOWN, days=2)
        signal("alice", "acme", "visited", 0.1)
        ravi = read(world, play)["ravi"]
        assert ravi.since == NOW - timedelta(days=2)
        assert [at for _, at in ravi.doubtful] == [NOW - timedelta(days=2)]
        briefed(world, "ravi", BriefState.DELIVERED, days=1)
        assert read(world, play)["ravi"].doubtful == ()

    def test_what_a_machine_did_is_never_read(self, world: World, play: Play, signal: Add) -> None:
        briefed(world, "ravi", BriefState.DELIVERED)
        signal("alice", "acme", "clicked", 0.2, is_machine=True)
        signal("alice", "acme", "opened", 0.2)
        assert read(world, play) == {}
        signal("bob", "acme", "clicked", 0.1)
        account = acme(world, play)
        assert [sign.person for sign in account.signs] == [world.people["bob"]]
        assert account.person(world.people["alice"]).last_sign is None  # type: ignore[union-attr]

    def test_each_rep_gets_their_own_accounts(self, world: World, play: Play, signal: Add) -> None:
        signal("ivan", "initech-north", "visited", 0.2)
        signal("judy", "initech-south", "visited", 0.2)
        material = read(world, play)
        assert [account.name for account in material["ravi"].accounts] == ["Initech North"]
        assert [account.name for account in material["sofia"].accounts] == ["Initech South"]

    def test_the_same_news_are_read_as_of_an_earlier_moment(self, world: World, play: Play, signal: Add) -> None:
        early = signal("alice", "acme", "visited", 3)
        signal("alice", "acme", "clicked", 1)
        with reading(world.engine) as connection:
            then = NOW - timedelta(days=2)
            (ravi,) = read_material(connection, read_looks(connection, then), play, then)
        assert [sign.id for sign in ravi.accounts[0].signs] == [early]
        assert ravi.accounts[0].people[0].last_sign.id == early  # type: ignore[union-attr]


class TestAccounts:
    def test_people_come_with_what_they_did_and_what_comes_next(
        self, world: World, play: Play, signal: Add, decide: Add, add: Add
    ) -> None:
        replied = signal("alice", "acme", "replied", 0.2)
        decide("bob", "acme", "wait", NOW + timedelta(days=2), "evaluation/three-numbers", reason="waiting_step")
        decide("charlie", "acme", "wait", NOW + timedelta(days=2), "evaluation/security-pack")
        add(
            Veto,
            stakeholder_id=world.people["charlie"],
            content="new-business/evaluation/security-pack",
            by="r",
            at=NOW,
        )
        add(Veto, stakeholder_id=world.people["bob"], content="another/one/altogether", by="ravi", at=NOW)
        account = acme(world, play)
        alice, bob, charlie, dana, *_ = account.people
        assert (alice.name, alice.role, alice.last_sign.id) == ("Alice Example", Role.CHAMPION, replied)  # type: ignore[union-attr]
        assert bob.outlook is not None
        assert (bob.outlook.answer, bob.outlook.content) == (Answer.WAIT, "new-business/evaluation/three-numbers")
        assert [mail.content for mail in bob.leaving] == ["new-business/evaluation/three-numbers"]
        assert charlie.leaving == (), "he was to get one mail, and the rep said no"
        assert dana.opted_out_at == NOW - timedelta(days=20)

    def test_a_sign_names_the_mail_it_answers(self, world: World, play: Play, signal: Add, sent: Add) -> None:
        touch = sent("bob", "acme", "evaluation/three-numbers", 0.9)
        signal("bob", "acme", "clicked", 0.2, touch_id=touch)
        account = acme(world, play)
        assert account.signs[0].content == "new-business/evaluation/three-numbers"
        assert [mail.id for mail in account.mails] == [touch]

    def test_all_that_a_person_was_ever_sent_is_known_and_only_the_new_is_news(
        self, world: World, play: Play, signal: Add, sent: Add
    ) -> None:
        briefed(world, "ravi", BriefState.DELIVERED)
        old = sent("bob", "acme", "discovery/why-now", 40)
        new = sent("bob", "acme", "evaluation/three-numbers", 0.9)
        later = sent("bob", "acme", "evaluation/pilot", -1)
        account = acme(world, play)
        bob = account.person(world.people["bob"])
        assert bob is not None
        assert (bob.touches, later not in bob.touches) == ((old, new), True)
        assert bob.contents == {"new-business/discovery/why-now", "new-business/evaluation/three-numbers"}
        assert [mail.id for mail in account.mails] == [new]

    def test_only_mails_that_left_count(self, world: World, play: Play, signal: Add, sent: Add) -> None:
        sent("bob", "acme", "evaluation/three-numbers", 0.9, state="failed", sent_at=None)
        signal("bob", "acme", "visited", 0.2)
        account = acme(world, play)
        assert account.mails == ()
        assert account.person(world.people["bob"]).touches == ()  # type: ignore[union-attr]

    def test_moves_holds_and_the_last_sales_touch_are_there(self, world: World, play: Play, add: Add) -> None:
        moved = add(
            StageChange, account_id=world.accounts["acme"], from_stage="discovery", to_stage="evaluation",
            at=NOW - timedelta(hours=3), cause="opportunity",
        )  # fmt: skip
        add(StageChange, account_id=world.accounts["acme"], to_stage="discovery", at=NOW - timedelta(days=9), cause="x")
        stands = add(Hold, **hold_of(world, starts_at=NOW - timedelta(days=20)))
        add(Hold, **hold_of(world, starts_at=NOW - timedelta(days=20), released_at=NOW - timedelta(days=15)))
        call = add(
            Activity, account_id=world.accounts["acme"], rep_id=world.reps["ravi"], kind="call", direction="outbound",
            occurred_at=NOW - timedelta(days=2), source_id="call-1",
        )  # fmt: skip
        for kind, direction in (("note", None), ("email", "inbound")):
            add(Activity, account_id=world.accounts["acme"], kind=kind, direction=direction,
                occurred_at=YESTERDAY, source_id=kind)  # fmt: skip
        account = acme(world, play)
        assert [move.id for move in account.moves] == [moved]
        assert [hold.id for hold in account.holds] == [stands]
        assert account.sales_touch is not None
        assert account.sales_touch.id == call

    def test_a_hold_that_ran_out_is_read_and_a_release_still_to_come_is_not_known(
        self, world: World, play: Play, add: Add
    ) -> None:
        add(Hold, **hold_of(world, starts_at=NOW - timedelta(days=20), ends_at=YESTERDAY))
        add(Hold, **hold_of(world, starts_at=YESTERDAY, released_at=NOW + timedelta(days=1)))
        ended, stands = acme(world, play).holds
        assert not ended.stands(NOW)
        assert (stands.released_at, stands.stands(NOW)) == (None, True)

    def test_a_question_whose_answer_fell_due_is_reason_enough_to_look(
        self, world: World, play: Play, signal: Add
    ) -> None:
        briefed(world, "ravi", BriefState.DELIVERED)
        signal("alice", "acme", "replied", 1.5)
        signal("gina", "globex", "visited", 1.5)
        keep_clocks(world.engine, play, NOW)
        assert [account.key for account in read(world, play)["ravi"].accounts] == ["acme"]
        assert acme(world, play).owing is not None

    def test_a_division_that_stands_in_the_name_is_not_said_twice(self, world: World, play: Play, signal: Add) -> None:
        with writing(world.engine) as connection:
            connection.execute(
                Account.__table__.update().where(Account.key == "acme").values(name="Acme North", division="north")
            )
        signal("alice", "acme", "visited", 0.2)
        assert acme(world, play).name == "Acme North"

    def test_names_are_cleaned_and_never_empty(self, world: World, play: Play, signal: Add) -> None:
        with writing(world.engine) as connection:
            people = Stakeholder.__table__.update()
            connection.execute(
                people.where(Stakeholder.id == world.people["alice"]).values(first_name="Ali\x1b[2Jce", last_name="\nX")
            )
            nameless = {"first_name": None, "last_name": None, "title": None}
            connection.execute(people.where(Stakeholder.id == world.people["bob"]).values(nameless))
        signal("alice", "acme", "visited", 0.2)
        assert [person.name for person in acme(world, play).people[:2]] == ["Ali [2Jce X", "bob"]

    def test_words_of_a_newer_version_stop_no_brief(self, world: World, play: Play, signal: Add, decide: Add) -> None:
        with writing(world.engine) as connection:
            newer = {"role": "astrologer", "email_status": "asleep"}
            connection.execute(
                Stakeholder.__table__.update().where(Stakeholder.id == world.people["alice"]).values(newer)
            )
        decide("alice", "acme", "maybe", None, None, reason="moon_phase")
        signal("alice", "acme", "visited", 0.2)
        alice = acme(world, play).people[0]
        assert (alice.role, alice.email_status) == (Role.UNKNOWN, EmailStatus.OK)
        assert alice.outlook is not None
        assert (alice.outlook.answer, alice.outlook.reason) == (Answer.NEVER, None)


class TestCost:
    def test_the_number_of_queries_does_not_depend_on_accounts_or_reps(
        self, world: World, play: Play, signal: Add
    ) -> None:
        signal("alice", "acme", "visited", 0.2)
        with counting(world.engine) as few:
            assert len(read(world, play)) == 1
        with writing(world.engine) as connection:
            reps = [{"id": n, "email": f"rep{n}@lumenflow.example", "name": f"Rep {n}"} for n in range(100, 140)]
            connection.execute(insert(Rep), reps)
            accounts = [
                {"id": n, "key": f"a{n}", "name": f"A {n}", "owner_id": 100 + n % 40, "stage": "discovery"}
                for n in range(1000, 1400)
            ]
            connection.execute(insert(Account), accounts)
            signals = [
                {"source": "many", "source_id": str(n), "kind": SignalKind.VISITED, "account_id": n,
                 "occurred_at": YESTERDAY, "received_at": YESTERDAY, "is_machine": False}
                for n in range(1000, 1400)
            ]  # fmt: skip
            connection.execute(insert(Signal), signals)
        with counting(world.engine) as many:
            assert len(read(world, play)) == 41
        assert len(many) == len(few)

    def test_a_rep_with_more_accounts_than_are_read_at_once_gets_all_of_them_in_one_brief(
        self, world: World, play: Play
    ) -> None:
        with writing(world.engine) as connection:
            accounts = [
                {"id": n, "key": f"a{n}", "name": f"A {n}", "owner_id": world.reps["sofia"], "stage": "discovery"}
                for n in range(1000, 1620)
            ]
            connection.execute(insert(Account), accounts)
            signals = [
                {"source": "many", "source_id": str(n), "kind": SignalKind.VISITED, "account_id": n,
                 "occurred_at": YESTERDAY, "received_at": YESTERDAY, "is_machine": False}
                for n in range(1000, 1620)
            ]  # fmt: skip
            connection.execute(insert(Signal), signals)
        assert len(read(world, play)["sofia"].accounts) == 620


def hold_of(world: World, **more: object) -> dict[str, object]:
    values = {"scope": "account", "account_id": world.accounts["acme"], "cause": HoldCause.REPLY, "by": "tandem"}
    return {**values, **more}
