"""The gate lets nobody through who must not get mail, asks a person when a plan looks odd, and fails closed."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from accounts.errors import NotFound
from accounts.identity import domain_hash, email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning.plans import read_plan
from accounts.models import Account, Activity, Decision, Hold, SendPlan, Stakeholder, Suppression, Touch, Veto
from accounts.playbook import Approvals, Caps
from accounts.touch_states import Refusal
from accounts.vocabulary import Reason, TouchState
from expectations import gate, snapshot
from expectations.audience import ROW_RULES, SOMEBODY, TOO_MANY_FAIL, About, History, Limits, Rule, plan_rules, suite
from expectations.gate import Answers, Verdict, Word, conclude, describe
from expectations.hearing import CRASHED, hear
from tests.cast import NOW, PLAY, World
from tests.plays import step
from tests.sending.desk import DAY, DUE, decide, freeze, open_play, rows, touch_of

CONTENT = "discovery/why-now"
LIMITS = Limits()
Broken = Callable[[World, int, int], Any]


def judge(world: World, plan_id: int, **options: Any) -> Verdict:
    return gate.judge(world.engine, plan_id, options.pop("play", None) or open_play(), NOW, **options)


# One person per rule: account, person -> what is wrong with them.


def _person(**values: Any) -> Broken:
    return lambda world, account, person: update(Stakeholder).where(Stakeholder.id == person).values(**values)


def _account(**values: Any) -> Broken:
    return lambda world, account, person: update(Account).where(Account.id == account).values(**values)


def _touch(**values: Any) -> Broken:
    return lambda world, account, person: update(Touch).where(Touch.stakeholder_id == person).values(**values)


def _hold(**values: Any) -> Broken:
    def place(world: World, account: int, person: int) -> Any:
        base = {"scope": "account", "account_id": account, "cause": "rep", "by": "ravi", "starts_at": NOW - DAY}
        return insert(Hold).values(**{**base, **values})

    return place


def _suppressed_domain(world: World, account: int, person: int) -> Any:
    return insert(Suppression).values(domain_hash=domain_hash(f"a{account}.example"), reason="asked", at=NOW - DAY)


def _suppressed_address(world: World, account: int, person: int) -> Any:
    address = f"p@a{account}.example"
    return insert(Suppression).values(email_hash=email_hash(address), reason="asked", at=NOW - DAY)


def _opted_out_elsewhere(world: World, account: int, person: int) -> Any:
    address = f"p@a{account}.example"
    values = {"email": address, "email_hash": email_hash(address), "opted_out_at": NOW - DAY}
    return insert(Stakeholder).values(account_id=world.accounts["acme"], **values)


def _mails(kind: str, direction: str, number: int, days: float) -> Broken:
    def write(world: World, account: int, person: int) -> Any:
        at = NOW - timedelta(days=days)
        values = {"kind": kind, "direction": direction, "occurred_at": at, "account_id": account}
        ids = [{"source_id": f"{account}-{index}", "stakeholder_id": person} for index in range(number)]
        return insert(Activity).values([{**values, **one} for one in ids])

    return write


def _veto(world: World, account: int, person: int) -> Any:
    return insert(Veto).values(stakeholder_id=person, content=f"{PLAY}/{CONTENT}", by="ravi", at=NOW)


#: What is wrong, and the reason that is kept; None: nothing is.
CASES: tuple[tuple[Broken, str | None], ...] = (
    (_person(email="new@elsewhere.example"), Refusal.ADDRESS_CHANGED),
    (_person(opted_out_at=NOW - DAY), Reason.OPTED_OUT),
    (_person(email_status="complained"), Reason.OPTED_OUT),
    (_opted_out_elsewhere, Reason.OPTED_OUT),
    (_suppressed_address, Reason.SUPPRESSED),
    (_suppressed_domain, Reason.SUPPRESSED),
    (_person(email_status="left"), Reason.LEFT),
    (_person(email_status="bounced"), Reason.BOUNCED),
    (_person(consent_basis=None), Reason.NO_CONSENT),
    (_person(consent_at=NOW + DAY), Reason.NO_CONSENT),
    (_account(first_contacted_at=None), Reason.NOT_CONTACTED),
    (_account(first_contacted_at=NOW + DAY), Reason.NOT_CONTACTED),
    (_account(stage="target"), Reason.STAGE_NOT_NURTURED),
    (_account(stage="no-such-stage"), Reason.STAGE_NOT_NURTURED),
    (_account(stage="proposal"), Refusal.STAGE_CHANGED),
    (_hold(), Reason.ACCOUNT_HELD),
    (_person(paused_until=NOW + DAY), Reason.AWAY),
    (_veto, Reason.VETOED),
    (_person(owner_conflict=True), Reason.OWNER_CONFLICT),
    (_touch(rep_id=None), Refusal.NO_OWNER),
    (_touch(content_digest="x"), Refusal.CONTENT_CHANGED),
    (_touch(content=f"{PLAY}/discovery/gone"), Refusal.CONTENT_CHANGED),
    (_touch(content=f"{PLAY}/discovery/stale"), Refusal.CONTENT_CHANGED),
    (_touch(due_at=NOW + timedelta(seconds=1)), Refusal.NOT_DUE),
    (_touch(not_after=NOW - timedelta(seconds=1)), Refusal.NOT_DUE),
    (_mails("email", "outbound", 2, 6.9), Reason.PERSON_CAP),
    (_hold(ends_at=NOW), None),
    (_hold(released_at=NOW), None),
    (_hold(scope="stakeholder", stakeholder_id=1), None),
    (_mails("email", "outbound", 2, 7), None),
    (_mails("email", "inbound", 3, 1), None),
    (_mails("email", "outbound", 1, 1), None),
    (_person(title=None, last_name=None), None),
    (_touch(not_after=None), None),
)  # fmt: skip


def test_each_row_that_breaks_a_rule_is_named_with_its_reason_and_no_other(world: World) -> None:
    people = _crowd(world, len(CASES))
    plan_id = freeze(world)
    with writing(world.engine) as connection:
        for (broken, _), (account, person) in zip(CASES, people, strict=True):
            connection.execute(broken(world, account, person))
        touches = dict(connection.execute(select(Touch.stakeholder_id, Touch.id)).tuples().all())
    verdict = judge(world, plan_id)
    expected = {
        touches[person]: reason for (_, reason), (_, person) in zip(CASES, people, strict=True) if reason is not None
    }
    assert dict(verdict.failing) == expected
    assert verdict.rows == len(CASES)
    assert verdict.word is Word.HOLD, "most of the rows fail"
    broken_rules = {rule.id for rule in ROW_RULES} - {one.rule for one in verdict.findings if not one.kept}
    assert broken_rules == {
        "content_has_not_expired", "address_looks_valid", "each_address_stands_once", "account_is_within_the_cap",
    }, "the rules of the next tests"  # fmt: skip


def test_addresses_are_a_name_one_at_and_a_domain_with_a_dot(world: World) -> None:
    good = ["dora@acme.example", "d.o'neil+x@sub.acme.example", "ä@köln.example"]
    bad = ["dana", "@acme.example", "dana@", "dana@acme", "a@b@acme.example", "d n@acme.example", "d@.example", "d@ac."]
    people = _crowd(world, len(good + bad))
    with writing(world.engine) as connection:
        for (_, person), address in zip(people, good + bad, strict=True):
            values = {"email": address, "email_hash": email_hash(address)}
            connection.execute(update(Stakeholder).where(Stakeholder.id == person).values(**values))
    plan_id = freeze(world)
    verdict = judge(world, plan_id)
    with reading(world.engine) as connection:
        assert (verdict.plan_id, verdict.digest) == (plan_id, read_plan(connection, plan_id).digest)
    assert set(verdict.failing.values()) == {Refusal.BAD_ADDRESS}
    assert len(verdict.failing) == len(bad)


def test_an_address_in_two_accounts_gets_one_message_the_first(world: World) -> None:
    (_, first), (_, second) = _crowd(world, 2)
    with writing(world.engine) as connection:
        both = update(Stakeholder).where(Stakeholder.id.in_([first, second]))
        connection.execute(both.values(email="x@y.example", email_hash=email_hash("x@y.example")))
    plan_id = freeze(world)
    with reading(world.engine) as connection:
        later = connection.scalar(select(Touch.id).order_by(Touch.id.desc()).limit(1))
    assert dict(judge(world, plan_id).failing) == {later: Refusal.DUPLICATE_ADDRESS}


def test_an_account_gets_no_more_in_a_week_than_its_cap_the_earliest_due_first(world: World) -> None:
    decide(world)
    verdict = judge(world, freeze(world), play=open_play(caps=Caps(account_per_week=1)))
    assert dict(verdict.failing) == {touch_of(world, "bob"): Reason.ACCOUNT_CAP}


def test_an_expired_content_stays_home(world: World) -> None:
    yesterday = NOW.date() - DAY
    play = open_play(steps=(step(CONTENT, "champion", expires=yesterday), step(DUE["alice"], "champion")))
    decide(world, {"ivan": CONTENT, "alice": DUE["alice"]})
    verdict = judge(world, freeze(world, play), play=play)
    assert dict(verdict.failing) == {touch_of(world, "ivan"): Reason.CONTENT_EXPIRED}


def test_a_clean_plan_is_certified(world: World) -> None:
    decide(world)
    verdict = judge(world, freeze(world))
    assert (verdict.word, verdict.rows, dict(verdict.failing)) == (Word.CERTIFY, 3, {})
    assert all(finding.kept for finding in verdict.findings)


def test_the_verdict_judges_rows_as_they_are_now_and_writes_nothing(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    before = rows(world)
    assert judge(world, plan_id) == judge(world, plan_id)
    assert rows(world) == before


def test_a_plan_nobody_made_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        judge(world, 404)


def test_an_empty_plan_is_rejected_although_every_rule_is_kept_by_nobody(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.CANCELLED))
    verdict = judge(world, plan_id)
    assert verdict.word is Word.REJECT
    assert verdict.reasons == ("There is somebody in it.",)


# Rules about the plan as a whole.


def test_new_words_go_to_a_few_people_first(world: World) -> None:
    _crowd(world, 4)
    plan_id = freeze(world)
    few = Limits(first_readers=3)
    assert judge(world, plan_id, limits=few).word is Word.HOLD
    assert judge(world, plan_id, limits=few, approved=True).word is Word.CERTIFY
    with writing(world.engine) as connection:
        (sent,) = connection.execute(select(Touch).limit(1)).mappings().all()
        past = {**sent, "id": 900, "stakeholder_id": world.people["gina"], "plan_id": None, "state": TouchState.SENT}
        connection.execute(insert(Touch).values(**past))
    assert judge(world, plan_id, limits=few).word is Word.CERTIFY, "somebody has had these words before"


def test_a_plan_much_larger_or_other_than_usual_waits_for_a_person(world: World) -> None:
    for number in range(3):
        _past_plan(world, number, {"evaluation": 2})
    _crowd(world, 5)
    plan_id = freeze(world)
    verdict = judge(world, plan_id, limits=Limits(small=2, growth=2.0))
    assert verdict.word is Word.HOLD
    assert {one.rule for one in verdict.findings if not one.kept} == {"size_is_like_before", "mix_is_like_before"}
    assert verdict.reasons[0] == "The plan is not much larger than usual: at most 4, usually 2."
    assert judge(world, plan_id, limits=Limits(small=50)).word is Word.CERTIFY, "small plans are never odd"


@pytest.mark.parametrize(("most", "word"), [(None, Word.CERTIFY), (3, Word.CERTIFY), (2, Word.HOLD)])
def test_a_plan_above_the_plays_maximum_waits_for_a_person(world: World, most: int | None, word: Word) -> None:
    """Whatever earlier plans held: three are due here."""
    decide(world)
    plan_id = freeze(world)
    play = open_play(approvals=Approvals(most_per_plan=most))
    verdict = judge(world, plan_id, play=play)
    assert verdict.word is word
    if word is Word.HOLD:
        assert verdict.reasons == (
            "The plan has no more messages than may leave without a person's word: 2 at most.",
        )  # fmt: skip
        assert judge(world, plan_id, play=play, approved=True).word is Word.CERTIFY


def test_without_history_nothing_is_compared() -> None:
    compared = {"size_is_like_before", "mix_is_like_before"}
    assert not compared & {rule.id for rule in plan_rules(LIMITS, History((5, 5)))}
    assert compared <= {rule.id for rule in plan_rules(LIMITS, History((5, 5, 5)))}


# The verdict, without Great Expectations: it fails closed.

RULES = suite(LIMITS, History())


def _answers(rows_: int = 10, *, broken: dict[str, list[int]] | None = None, **changed: Any) -> Answers:
    broken = broken or {}
    said = [(rule.id, rule.id not in broken, "{}") for rule in RULES] + [(SOMEBODY, rows_ > 0, "{}")]
    return Answers(**{"rows": rows_, "said": said, "found": broken, **changed})


def test_everything_kept_means_certified() -> None:
    assert conclude(RULES, _answers(), LIMITS)[0] is Word.CERTIFY


@pytest.mark.parametrize("lost", [rule.id for rule in RULES] + [SOMEBODY])
def test_a_rule_that_does_not_come_back_means_rejected(lost: str) -> None:
    said = [one for one in _answers().said if one[0] != lost]
    word, reasons, *_ = conclude(RULES, _answers(said=said), LIMITS)
    assert (word, reasons) == (Word.REJECT, (f"The gate could not judge: {lost}.",))


def test_a_rule_that_comes_back_twice_or_crashed_means_rejected() -> None:
    said = list(_answers().said)
    assert conclude(RULES, _answers(said=[*said, said[0]]), LIMITS)[0] is Word.REJECT
    crashed = [(said[0][0], True, f"{{'x': {{{CRASHED}}}}}"), *said[1:]]
    assert conclude(RULES, _answers(said=crashed), LIMITS)[0] is Word.REJECT


def test_a_broken_rule_that_finds_nobody_contradicts_itself_and_means_rejected() -> None:
    assert conclude(RULES, _answers(broken={"nobody_opted_out": []}), LIMITS)[0] is Word.REJECT


def test_nothing_said_at_all_means_rejected() -> None:
    assert conclude(RULES, Answers(0), LIMITS)[0] is Word.REJECT
    word, reasons, *_ = conclude(RULES, Answers(0, trouble="OperationalError: gone"), LIMITS)
    assert (word, reasons) == (Word.REJECT, ("The gate could not judge: OperationalError: gone.",))
    assert conclude((), Answers(10, [(SOMEBODY, True, "{}")]), LIMITS)[0] is Word.CERTIFY


def test_a_few_failing_rows_are_left_out_and_many_hold_the_plan() -> None:
    few = _answers(100, broken={"nobody_opted_out": list(range(20))})
    many = _answers(100, broken={"nobody_opted_out": list(range(21))})
    assert conclude(RULES, few, LIMITS)[0] is Word.CERTIFY
    word, reasons, findings, failing = conclude(RULES, many, LIMITS)
    assert (word, reasons, len(failing)) == (Word.HOLD, ("At most 20% of the rows fail.",), 21)
    assert findings[-1].rule == TOO_MANY_FAIL
    assert conclude(RULES, many, LIMITS, approved=True)[0] is Word.CERTIFY


def test_fewer_than_five_failing_rows_are_never_many() -> None:
    words = [conclude(RULES, _answers(9, broken={"nobody_left": list(range(n))}), LIMITS)[0] for n in (4, 5)]
    assert words == [Word.CERTIFY, Word.HOLD]


def test_a_rule_about_the_plan_asks_a_person_and_fails_nobody() -> None:
    odd = _answers(broken={"new_words_reach_few": [1, 2]})
    word, reasons, _, failing = conclude(RULES, odd, LIMITS)
    assert (word, failing) == (Word.HOLD, {})
    assert reasons == ("Words nobody has received yet go to 50 people at most.",)
    assert conclude(RULES, odd, LIMITS, approved=True)[:2] == (Word.CERTIFY, reasons)


def test_a_plan_in_which_everybody_fails_is_rejected_even_when_approved() -> None:
    all_fail = _answers(3, broken={"nobody_opted_out": [1, 2], "consent_is_present": [2, 3]})
    word, _, _, failing = conclude(RULES, all_fail, LIMITS, approved=True)
    assert word is Word.REJECT
    assert failing == {1: Reason.OPTED_OUT, 2: Reason.OPTED_OUT, 3: Reason.NO_CONSENT}, "the first broken rule says why"


# Great Expectations itself, at its edges.


def test_a_rule_that_cannot_run_is_a_crash_and_spoils_no_other(world: World) -> None:
    decide(world)
    tables = snapshot.tables(world.engine.dialect.name, freeze(world), open_play(), NOW, {})
    broken = Rule("broken", "", "SELECT no_such_column FROM {batch}")
    writes = Rule("writes", "", "DELETE FROM touch RETURNING id")
    answers = hear(world.engine, tables, (*RULES[:2], broken, writes))
    kept = {id: (kept, CRASHED in trouble) for id, kept, trouble in answers.said}
    assert kept["broken"] == (False, True)
    assert kept["writes"] == (False, True)
    assert kept[RULES[0].id] == (True, False)
    assert len(rows(world)) == 3


def test_whatever_the_judging_runs_into_nothing_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(world)
    plan_id = freeze(world)
    monkeypatch.setattr(snapshot, "tables", lambda *_: [(snapshot.ROWS, "SELECT nonsense FROM nowhere")])
    verdict = judge(world, plan_id)
    assert verdict.word is Word.REJECT
    assert verdict.reasons[0].startswith("The gate could not judge: ")


def test_great_expectations_is_imported_only_when_something_is_judged() -> None:
    said = "import sys, flows.nurturing, expectations.gate; print('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout == "False\n"


# What is kept and shown.


def test_the_stored_verdict_names_nobody(world: World) -> None:
    decide(world, {**DUE, "dana": "evaluation/first-week"})
    verdict = judge(world, freeze(world))
    kept = json.dumps(verdict.checks())
    assert "example" not in kept
    assert '"cancelled": {"opted_out": 1}' in kept
    assert "dana" not in kept.lower() + describe(verdict).lower()


def test_a_marketer_can_read_the_verdict(world: World) -> None:
    decide(world, {**DUE, "dana": "evaluation/first-week"})
    verdict = judge(world, freeze(world))
    text = describe(verdict)
    assert text.startswith("**Certified.** 3 of 4 messages may leave.")
    assert "- 1 left out: opted out" in text
    assert "| ✗ | Nobody opted out or complained, in whichever account. | 1 |" in text
    assert describe(json.loads(json.dumps(verdict.checks()))) == text, "the stored one reads the same"


def test_every_rule_is_a_sentence_and_every_row_rule_has_a_reason() -> None:
    for rule in suite(LIMITS, History((5, 5, 5))):
        assert rule.sentence.endswith(".")
        assert "%" not in rule.finds
        assert "JOIN" not in rule.finds
        assert bool(rule.reason) is (rule.about is About.ROW)


def _crowd(world: World, number: int) -> list[tuple[int, int]]:
    """So many accounts of one person each, all due; (account, person)."""
    people = []
    with writing(world.engine) as connection:
        for index in range(number):
            account = connection.execute(
                insert(Account).values(
                    key=f"a{index}", name=f"A{index}", stage="discovery", owner_id=world.reps["ravi"], play=PLAY,
                    first_contacted_at=NOW - 30 * DAY,
                ).returning(Account.id)
            ).scalar_one()  # fmt: skip
            address = f"p@a{account}.example"
            person = connection.execute(
                insert(Stakeholder).values(
                    account_id=account, email=address, email_hash=email_hash(address), role="champion",
                    consent_basis="consent", consent_at=NOW - 30 * DAY,
                ).returning(Stakeholder.id)
            ).scalar_one()  # fmt: skip
            connection.execute(
                insert(Decision).values(
                    stakeholder_id=person, account_id=account, as_of=NOW, answer="touch", until=NOW, play=PLAY,
                    content=f"{PLAY}/{CONTENT}", stage="discovery",
                )
            )  # fmt: skip
            people.append((account, person))
    return people


def _past_plan(world: World, number: int, stages: dict[str, int]) -> None:
    with writing(world.engine) as connection:
        plan = insert(SendPlan).values(created_at=NOW - DAY, play=PLAY, state="done").returning(SendPlan.id)
        plan_id = connection.execute(plan).scalar_one()
        for stage, count in stages.items():
            for index in range(count):
                connection.execute(
                    insert(Touch).values(
                        account_id=world.accounts[("hooli", "acme")[index % 2]], channel="email", play=PLAY,
                        play_version="v", stage=stage,
                        content=f"{PLAY}/{CONTENT}", content_digest=step(CONTENT, "champion").digest,
                        address="x@y.example", state="sent", due_at=NOW - 30 * DAY, sent_at=NOW - 30 * DAY,
                        plan_id=plan_id, stakeholder_id=None, reason=f"{number} {index}",
                    )
                )  # fmt: skip
