"""The judgement: what the post office wrote down against what the ledger says, once nothing is open any more.

Every charge is a function of the evidence and gives the sentences it found; a history without one is clean.
"""

from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, select

from accounts.ledger.engine import reading
from accounts.ledger.planning.touches import LEASE
from accounts.models import Account, Certificate, Decision, PlanMember, Stakeholder, Touch
from accounts.seals import Sealed
from accounts.touch_states import OPEN
from accounts.vocabulary import TouchState
from flows.settings import Settings
from flows.tokens import touch_of
from tests.cast import NOW
from tests.chaos.conductor import Files
from tests.chaos.history import History, No, Strike
from tests.chaos.post import Deed, Moment
from tests.chaos.records import read
from tests.chaos.world import CONTENT, account_key, address

T = TouchState
SECRET = Settings().secret_key.get_secret_value()
#: A no reaches the mails of a batch that is on its way within so many seconds.
HEARD_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter the post office has: whose touch it is, and when it began."""

    touch: int
    recipient: str
    begun: float
    content: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """One look of a worker at a plan, by the machine's clock, and what it took."""

    before: float
    after: float
    now: datetime
    touches: frozenset[int]


@dataclass(frozen=True, slots=True)
class Said:
    """A no, from when it was certainly in force, until somebody began to take it back."""

    no: No
    person: int
    at: float
    until: float
    now: datetime


class Evidence:
    """All that is known about a history when it is over."""

    def __init__(self, engine: Engine, history: History, files: Files) -> None:
        self.history = history
        self.office, self.conductor = read(files.office), read(files.conductor)
        self.workers, self.naysayers = read(files.workers), read(files.naysayers)
        self.tracebacks = files.tracebacks.read_text() if files.tracebacks.exists() else ""
        with reading(engine) as connection:
            self.touches = {row.id: row for row in connection.execute(select(Touch.__table__))}
            self.people = {row.id: row for row in connection.execute(select(Stakeholder.__table__))}
            self.accounts = {row.id: row for row in connection.execute(select(Account.__table__))}
            self.decisions = {row.stakeholder_id: row for row in connection.execute(select(Decision.__table__))}
            self.certificates = {row.plan_id: row for row in connection.execute(select(Certificate.__table__))}
            self.seals = {
                (row.plan_id, row.touch_id): row.seal for row in connection.execute(select(PlanMember.__table__))
            }

    @cached_property
    def letters(self) -> list[Letter]:
        begun = {event["letter"]: event["at"] for event in self.office if event["what"] == "begun"}
        return [
            Letter(touch_of(event["message_id"] or "", SECRET) or 0, event["recipient"], begun[event["letter"]],
                   b64decode(event["content"]))
            for event in self.office if event["what"] == "kept"
        ]  # fmt: skip

    @cached_property
    def claims(self) -> dict[int, list[Claim]]:
        """touch id -> the claims that took it, in order."""
        taken: dict[int, list[Claim]] = defaultdict(list)
        for event in self.workers:
            if event["what"] == "claimed":
                now = datetime.fromisoformat(event["now"])
                claim = Claim(event["before"], event["at"], now, frozenset(event["touches"]))
                for touch in claim.touches:
                    taken[touch].append(claim)
        return taken

    @cached_property
    def nos(self) -> list[Said]:
        """What was said, each with its end: the first release of the same brake after it."""
        return [
            Said(no, event["person"], event["at"], self._released(no, event), datetime.fromisoformat(event["now"]))
            for event in self.naysayers if event["what"] == "said" and (no := No(event["no"]))
        ]  # fmt: skip

    def _released(self, no: No, said: Mapping[str, Any]) -> float:
        releases = (
            event["at"] for event in self.naysayers
            if event["what"] == "releasing" and event["no"] == no and event["at"] > said["at"]
            and (no is not No.STOP_ACCOUNT or account_key(event["person"]) == account_key(said["person"]))
        )  # fmt: skip
        return min(releases, default=float("inf"))

    def events(self, what: str) -> list[dict[str, Any]]:
        return [event for event in self.conductor if event["what"] == what]

    def state(self, touch: int) -> TouchState:
        return TouchState(self.touches[touch].state)

    @cached_property
    def struck(self) -> Counter[str]:
        """Which faults came true, and how often."""
        at_time = [event["deed"] for event in self.events("strike") if event["hit"]]
        at_statement = [event["deed"] for event in self.workers if event["what"] == "struck"]
        at_letter = [f"{event['deed']} at {event['moment']}" for event in self.office if event["what"] == "incident"]
        return Counter([*at_time, *at_statement, *at_letter])

    @cached_property
    def troubles(self) -> Counter[str]:
        """What workers ran into."""
        return Counter(event["error"] for event in self.workers if event["what"] == "trouble")

    @cached_property
    def cut(self) -> int:
        """How many connections were cut while a letter may have been on them: all of a worker that was killed or
        interrupted after a claim, those open at a post office that was killed, those it dropped at or after a dot. A
        full disk takes what cannot be written down any more: as much as a kill does."""
        claimed = {event["pid"] for event in self.workers if event["what"] == "claimed" and event["touches"]}
        killed = [one for one in self.events("worker") if one["code"] != 0 and one["pid"] in claimed]
        full = any(one["deed"] == Strike.FILL_DISK for one in self.events("strike"))
        troubled = [one for one in self.workers if one["what"] == "trouble" and one["pid"] in claimed]
        ended = [one for one in troubled if full or one["error"] == "KeyboardInterrupt"]
        dropped = [
            one for one in self.office
            if one["what"] == "incident" and one["deed"] == Deed.DROP and one["moment"] in (Moment.DOT, Moment.KEPT)
        ]  # fmt: skip
        return len(dropped) + sum(one["connections"] for one in (*killed, *ended, *self.events("office")))


def judge(evidence: Evidence) -> list[str]:
    """What the history is guilty of, in sentences; empty: nothing."""
    return [said for charge in CHARGES for said in charge(evidence)]


def it_came_to_its_end(evidence: Evidence) -> Iterator[str]:
    """The quiet day was quiet, and nobody fell over a mistake."""
    for event in evidence.workers:
        if event["what"] == "mistake":
            yield f"a worker fell over {event['error']}: {event['said']}"
    for event in evidence.events("naysayer") + evidence.events("settled"):
        if event["code"] != 0:
            yield f"{event['what']}: it ended with {event['code']}\n{evidence.tracebacks}"


def nobody_got_two(evidence: Evidence) -> Iterator[str]:
    """Neither the same message again nor the same content in another one."""
    for touch, copies in Counter(letter.touch for letter in evidence.letters).items():
        if copies > 1:
            yield f"touch {touch} arrived {copies} times"
    for recipient, copies in Counter(letter.recipient for letter in evidence.letters).items():
        if copies > 1:
            yield f"{recipient} got {copies} letters with the same content"


def letters_are_what_was_certified(evidence: Evidence) -> Iterator[str]:
    """To the certified address, of a plan with a certificate, with the seal it was certified with."""
    for letter in evidence.letters:
        row = evidence.touches.get(letter.touch)
        if row is None:
            yield f"a letter to {letter.recipient} belongs to no touch"
            continue
        sealed = Sealed(row.id, row.stakeholder_id, row.address, row.content, row.content_digest, row.stage,
                        row.play_version)  # fmt: skip
        if row.address != letter.recipient:
            yield f"touch {row.id} went to {letter.recipient} and not to {row.address}"
        if row.plan_id not in evidence.certificates or evidence.seals.get((row.plan_id, row.id)) != sealed.seal:
            yield f"touch {row.id} was sent and not certified"
        if message_from_bytes(letter.content)["To"] is None or b"Pat" not in letter.content:
            yield f"touch {row.id} arrived in pieces"


def the_ledger_says_what_happened(evidence: Evidence) -> Iterator[str]:
    """`sent` arrived, and what arrived is `sent` or `unknown`."""
    arrived = {letter.touch for letter in evidence.letters}
    for touch in evidence.touches:
        state = evidence.state(touch)
        if state is T.SENT and touch not in arrived:
            yield f"touch {touch} counts as sent and never arrived"
        if touch in arrived and state not in (T.SENT, T.UNKNOWN):
            yield f"touch {touch} arrived and counts as {state}"


def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    """Nothing is open, every end has a reason, and who was due and said nothing got their letter."""
    by_person: dict[int, list[Any]] = defaultdict(list)
    for row in evidence.touches.values():
        by_person[row.stakeholder_id].append(row)
        if evidence.state(row.id) in OPEN:
            yield f"touch {row.id} is still {row.state}"
        if row.reason is None and evidence.state(row.id) is not T.SENT:
            yield f"touch {row.id} is {row.state} without a reason"
    excused = _people_with_a_no(evidence) | _people_refused(evidence)
    for person in evidence.people.values():
        states = {TouchState(row.state) for row in by_person[person.id]}
        if not states & {T.SENT, T.UNKNOWN} and person.id not in excused:
            said = evidence.decisions.get(person.id)
            yield f"{person.email} got nothing: {sorted(states)}, {said and (said.answer, said.reason, said.until)}"
        if not states and (person.id not in evidence.decisions or not evidence.decisions[person.id].reason):
            yield f"{person.email} has no touch and no reason"


def unknown_are_few(evidence: Evidence) -> Iterator[str]:
    """At most one for each connection that was cut; not counting those whose lease was over by the clock of another run
    while their own sender lived: it can say `sent` afterwards, but not "later"."""
    clocks = [NOW + run.clock for runs in evidence.history.workers for run in runs]
    unknown = [row for row in evidence.touches.values() if row.state == T.UNKNOWN]
    by_clock = [row for row in unknown if row.error is None and max(clocks) > row.claimed_at + LEASE]
    if len(unknown) - len(by_clock) > evidence.cut:
        yield f"{len(unknown)} touches are unknown, and {evidence.cut} connections were cut"


def every_no_was_heard(evidence: Evidence) -> Iterator[str]:
    """What was said before a claim began stops what it would take, and soon also what it took before."""
    for letter in evidence.letters:
        row = evidence.touches.get(letter.touch)
        claims = [claim for claim in evidence.claims.get(letter.touch, ()) if claim.before < letter.begun]
        if row is None or not claims:
            yield f"touch {letter.touch} left and nobody had claimed it"
            continue
        last = claims[-1]
        for no in evidence.nos:
            if not _concerns(evidence, no, row) or (no.no is No.HOLD and no.now > last.now):
                continue
            if no.at < last.before and last.after < no.until:
                yield f"touch {row.id} was claimed {last.before - no.at:.3f} s after {no.no}, and left"
            if no.at + HEARD_WITHIN < letter.begun < no.until:
                yield f"touch {row.id} left {letter.begun - no.at:.1f} s after {no.no}"


#: In this order.
CHARGES = (
    it_came_to_its_end, nobody_got_two, letters_are_what_was_certified, the_ledger_says_what_happened,
    nothing_is_lost, unknown_are_few, every_no_was_heard,
)  # fmt: skip


def _concerns(evidence: Evidence, no: Said, row: Any) -> bool:
    account = evidence.accounts[row.account_id]
    return {
        No.OPT_OUT: row.address == address(no.person),
        No.HOLD: account.key == account_key(no.person),
        No.VETO: row.address == address(no.person),
        No.VETO_CONTENT: row.address == address(no.person) and row.content == CONTENT,
        No.STOP_ALL: True,
        No.STOP_ACCOUNT: account.key == account_key(no.person),
        No.STOP_REP: row.rep_id == 1,
    }[no.no]


def _people_with_a_no(evidence: Evidence) -> set[int]:
    """Whoever said no, whenever, is excused from getting anything. A brake is released, so it excuses nobody."""
    lasting = {No.OPT_OUT, No.HOLD, No.VETO, No.VETO_CONTENT}
    nos = [no for no in evidence.nos if no.no in lasting]
    return {
        person.id for person in evidence.people.values() for no in nos
        if person.email == address(no.person)
        or (no.no is No.HOLD and evidence.accounts[person.account_id].key == account_key(no.person))
    }  # fmt: skip


def _people_refused(evidence: Evidence) -> set[int]:
    refused = {
        event["recipient"] for event in evidence.office if event["what"] == "incident" and event["deed"] == Deed.NEVER
    }
    return {person.id for person in evidence.people.values() if person.email in refused}
