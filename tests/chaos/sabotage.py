"""Protections of the product, removed one at a time: with each of them gone, the histories have to be found guilty.

Nothing of this is in the product: functions are replaced, statements rewritten and keys dropped from outside, in the
processes of the suite only. A sabotage that finds nothing to remove any more raises.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from threading import local
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, UniqueConstraint, event, false, insert, null

from accounts.ledger import locks
from accounts.ledger.planning import plans, touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.ledger.sending.recovery import TakenUp
from accounts.models import Touch
from accounts.vocabulary import TouchState
from flows import nurturing
from flows.sending.journal import Journal


def no_unique_key() -> Iterator[None]:
    """A content may go to a person twice: the key is gone, and what freezing does when it meets a second row."""
    table: Any = Touch.__table__
    (key,) = (one for one in table.constraints if one.name == "one_touch_per_person_and_content")
    assert isinstance(key, UniqueConstraint)
    table.constraints.discard(key)
    with patch.object(plans, "_insert_touches", _plain_insert):
        yield
    table.constraints.add(key)


def _plain_insert(_dialect: str, rows: Any) -> Any:
    return insert(Touch).from_select(list(plans._FILLED), rows, include_defaults=False)


def no_claim_check() -> Iterator[None]:
    """The claim takes what it sees: it neither locks rows nor asks whether they are still certified."""
    claiming, real = local(), claims.claim

    def flagged(*arguments: Any, **options: Any) -> claims.Claim:
        claiming.now = True
        try:
            return real(*arguments, **options)
        finally:
            claiming.now = False

    def rewritten(*asked: Any) -> tuple[str, Any]:
        statement, parameters = asked[2], asked[3]
        return (_without_check(statement) if getattr(claiming, "now", False) else statement), parameters

    event.listen(Engine, "before_cursor_execute", rewritten, retval=True)
    with patch.object(claims, "claim", flagged):
        yield
    event.remove(Engine, "before_cursor_execute", rewritten)


#: The state a claim asks for.
_STATE = re.compile(r"\(touch\.state \|\| ''\) = 'certified'")


def _without_check(statement: str) -> str:
    looks, takes = "touch.timezone" in statement, statement.startswith("UPDATE touch") and "claimed_by" in statement
    if not (looks or takes):
        return statement
    loosened, found = _STATE.subn(r"(\g<0> OR touch.state = 'sending')", statement)
    assert found, "the claim does not ask for a state any more"
    return loosened.replace("FOR UPDATE OF touch SKIP LOCKED", "")


def unknown_is_certified() -> Iterator[None]:
    """What may have arrived goes out again."""
    record, move = claims.record, touches.move

    def recorded(connection: Connection, outcomes: list[Outcome], *rest: Any, **options: Any) -> Any:
        again = [
            replace(one, state=TouchState.CERTIFIED) if one.state is TouchState.UNKNOWN else one for one in outcomes
        ]
        return record(connection, again, *rest, **options)

    def moved(connection: Connection, reasons: Mapping[int, Any], to: TouchState, **options: Any) -> list[int]:
        return move(connection, reasons, TouchState.CERTIFIED if to is TouchState.UNKNOWN else to, **options)

    with patch.object(claims, "record", recorded), patch.object(touches, "move", moved):
        yield


def silent_journal() -> Iterator[None]:
    """The journal does not say that a mail begins to leave."""

    def silent(_journal: Journal, _touch_ids: object) -> None:
        return None

    with patch.object(Journal, "begin", silent):
        yield


def deaf_claim() -> Iterator[None]:
    """Neither the claim nor the database's lock asks whether somebody said no or pulled a brake."""
    trigger = "touch_enters_locked"
    left = tuple(one for one in locks.TRIGGERS if one.name != trigger)
    assert len(left) < len(locks.TRIGGERS)
    statements = {
        name: tuple(one for one in getattr(locks, name) if trigger not in one) for name in ("SQLITE", "POSTGRESQL")
    }
    with patch.multiple(locks, TRIGGERS=left, **statements), _deaf():
        yield


@contextmanager
def _deaf() -> Iterator[None]:
    with patch.object(claims, "refusal_of", lambda _now: null()), patch.object(claims, "brakes_touch", false):
        yield


def nobody_tidies() -> Iterator[None]:
    """What a killed run left is not taken up by the next one."""
    nothing = patch.multiple(nurturing, tidy=lambda *_: nurturing.Tidied(), recover=lambda *_: TakenUp())
    with nothing:
        yield


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What is taken away, and what the judgement has to say of it: any other guilt does not count."""

    remove: Callable[[], Iterator[None]]
    found_by: str

    @property
    def name(self) -> str:
        return self.remove.__name__.replace("_", "-")

    @property
    def what(self) -> str:
        return " ".join((self.remove.__doc__ or "").split())

    def finds(self, guilty: Sequence[str]) -> str | None:
        """The sentence by which it is found out."""
        return next((said for said in guilty if re.search(self.found_by, said)), None)


SABOTAGES: Mapping[str, Sabotage] = {
    one.name: one
    for one in (
        Sabotage(no_unique_key, r"letters with the same content"),
        Sabotage(no_claim_check, r"arrived \d+ times"),
        Sabotage(unknown_is_certified, r"arrived \d+ times"),
        Sabotage(silent_journal, r"arrived \d+ times"),
        Sabotage(deaf_claim, r"after (opt out|hold|veto|stop)"),
        Sabotage(nobody_tidies, r"is still sending"),
    )
}


@contextmanager
def sabotaged(one: Sabotage | None) -> Iterator[None]:
    """The product without that protection while the block runs, in this process and what it forks; whole for None."""
    with contextmanager(one.remove)() if one else nullcontext():
        yield
