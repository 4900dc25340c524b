"""Three layers between a person who said no and a mail to them; each holds when the other two are broken.

1. the suite judges the frozen plan   2. a certificate names exactly what was judged   3. the lock in the database
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Engine, null, text, update

from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import members, plans
from accounts.ledger.sending import claims
from accounts.models import Account
from accounts.playfiles import load_play
from accounts.vocabulary import PlanState, Reason, TouchState
from expectations import gate
from expectations.gate import Verdict, Word
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.nurturing import Nurtured
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, World
from tests.sending.desk import change, rows

T = TouchState


@pytest.fixture
def despatched(world: World, tmp_path: Path) -> Callable[[], tuple[Nurtured, list[str]]]:
    """One run over the cast: what came of it, and who got mail. Without trouble: Alice and Ivan."""

    def run() -> tuple[Nurtured, list[str]]:
        memory = Memory()
        play = load_play(TEMPLATES / "plays" / "new-business")
        done = nurturing.nurture(world.engine, Settings(home=tmp_path), play, NOW, channel=memory)
        return done, [letter.recipient for letter in memory.sent]

    return run


def break_the_suite(patched: pytest.MonkeyPatch) -> None:
    """It passes everything, as Great Expectations does when it fails open."""

    def passes(engine: Engine, plan_id: int, play: Any, now: Any, **_: object) -> Verdict:
        with reading(engine) as connection:
            digest = plans.read_plan(connection, plan_id).digest or ""
        return Verdict(plan_id, digest, "0" * 64, Word.CERTIFY, 1, (), (), {})

    patched.setattr(gate, "judge", passes)


def break_the_certificate(patched: pytest.MonkeyPatch) -> None:
    """Nobody looks at it: any plan is as good as certified, any row as good as sealed."""

    class AnySeal(dict[int, str]):
        def get(self, touch_id: int, default: Any = None) -> Any:
            return _Whatever()

    patched.setattr(members, "prove", lambda *_: None)
    patched.setattr(members, "seals_of", lambda *_: AnySeal())


class _Whatever:
    """Equal to everything."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def break_the_claim(patched: pytest.MonkeyPatch) -> None:
    """The claim asks no "no" of its own, so that the layers stand alone."""

    def nothing(_: Any) -> ColumnElement[Any]:
        return null()

    patched.setattr(claims, "refusal_of", nothing)


def after_planning(patched: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Something happens between the freezing of the plan and the gate."""
    real = nurturing.freeze

    def freeze(*arguments: Any) -> int | None:
        plan_id = real(*arguments)
        deed()
        return plan_id

    patched.setattr(nurturing, "freeze", freeze)


def before_sending(patched: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Something happens between the certificate and the first claim."""
    real = nurturing.send

    def send(*arguments: Any, **options: Any) -> Any:
        deed()
        return real(*arguments, **options)

    patched.setattr(nurturing, "send", send)


def test_the_suite_holds_alone(unlocked: World, despatched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_certificate(monkeypatch)
    break_the_claim(monkeypatch)
    after_planning(monkeypatch, lambda: change(unlocked, "alice", opted_out_at=NOW))
    _, recipients = despatched()
    assert recipients == ["ivan@initech.example"]
    assert rows(unlocked)["alice"] == (T.CANCELLED, Reason.OPTED_OUT)


ALTERATIONS = {
    "another address": "UPDATE touch SET address = 'mallory@evil.example' WHERE id = 1",
    "other words": "UPDATE touch SET content_digest = 'x' WHERE id = 2",
    "another person": "UPDATE touch SET stakeholder_id = 7 WHERE id = 1",
    "a plan that is not certified": "DELETE FROM certificate",
    "a certificate for another digest": "UPDATE certificate SET digest = 'x'",
    "one member more": "INSERT INTO plan_member SELECT plan_id, 900, seal, email_hash, domain_hash FROM plan_member "
    "WHERE touch_id = 1",
}


def test_the_certificate_holds_alone(
    unlocked: World, despatched: Any, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Promise 5: an altered plan sends nothing at all, also not to those whose rows were left alone."""
    break_the_suite(monkeypatch)
    break_the_claim(monkeypatch)
    for name, alteration in ALTERATIONS.items():
        with subtests.test(name), monkeypatch.context() as patched:
            before_sending(patched, lambda alteration=alteration: _write(unlocked, alteration))  # type: ignore[misc]
            done, recipients = despatched()
            assert recipients == []
            assert len(done.stopped) == 1
            with reading(unlocked.engine) as connection:
                assert plans.read_plan(connection, done.plan_id).state is PlanState.REJECTED
        _forget_everything(unlocked)


def test_the_lock_holds_alone(
    world: World, despatched: Any, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    break_the_suite(monkeypatch)
    break_the_certificate(monkeypatch)
    break_the_claim(monkeypatch)
    noes: dict[str, Callable[[], None]] = {
        "opted out": lambda: change(world, "alice", opted_out_at=NOW),
        "bounced": lambda: change(world, "alice", email_status="bounced"),
        "no consent": lambda: change(world, "alice", consent_basis=None),
        "address changed": lambda: change(world, "alice", email="new@acme.example"),
        "no live certificate": lambda: _write(world, "UPDATE certificate SET revoked_at = certified_at"),
    }
    for name, deed in noes.items():
        with subtests.test(name), monkeypatch.context() as patched:
            before_sending(patched, deed)
            done, recipients = despatched()
            assert "alice@acme.example" not in recipients
            assert "lock: " in done.stopped[0]
        _forget_everything(world)


def test_with_everything_in_place_they_would_have_got_mail(world: World, despatched: Any) -> None:
    assert sorted(despatched()[1]) == ["alice@acme.example", "ivan@initech.example"]


def _write(world: World, sql: str) -> None:
    with writing(world.engine) as connection:
        connection.execute(text(sql))


def _forget_everything(world: World) -> None:
    """As before the first plan, with Alice as she was; ids begin again at 1."""
    with writing(world.engine) as connection:
        for table in ("certificate", "plan_member", "touch", "decision", "send_plan"):
            connection.execute(text(f"DELETE FROM {table}"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER SEQUENCE touch_id_seq RESTART"))
        connection.execute(update(Account).values(replan_at=NOW))
    change(world, "alice", opted_out_at=None, email_status="ok", consent_basis="consent", email="alice@acme.example")
