"""`tandem away`: who stands in, from when to when; briefs and promises follow (tests/briefs, tests/sla)."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from accounts.errors import InputRefused, NotFound
from accounts.ledger.audit import read_audit
from accounts.ledger.briefs.notices import untold
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.accounts import read_rep_accounts
from accounts.models import Rep
from flows.cli.away import away
from flows.sales.answers import may
from tests.cast import NOW, World
from tests.signals.post import play, signal, tell
from tests.web.visitor import on_sqlite

pytestmark = on_sqlite
AT = ["--as-of", NOW.isoformat(), "--by", "mia"]
BACK = datetime(2026, 12, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_home(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))


def say(*words: str) -> Result:
    return CliRunner().invoke(away, [*words, *AT], catch_exceptions=False)


def ravi(world: World) -> tuple[datetime | None, datetime | None, int | None]:
    with reading(world.engine) as connection:
        query = select(Rep.away_from, Rep.away_until, Rep.backup_id).where(Rep.id == world.reps["ravi"])
        return tuple(connection.execute(query).one())


def test_the_backup_stands_in_from_now_on_and_the_audit_keeps_who_said_so(world: World) -> None:
    told = say("ravi", "--until", BACK.isoformat(), "--backup", "sofia").output
    assert "ravi is away" in told
    assert "sofia stands in" in told
    assert ravi(world) == (NOW, BACK, world.reps["sofia"])
    with reading(world.engine) as connection:
        assert may(connection, world.reps["sofia"], world.accounts["acme"], NOW)
        assert not may(connection, world.reps["sofia"], world.accounts["acme"], BACK)
        kept = list(read_audit(connection))[-1]
    assert (kept.actor, kept.action, kept.subject) == ("mia", "away", f"rep:{world.reps['ravi']}")


def test_back_again_nobody_stands_in_and_saying_it_twice_changes_nothing(world: World) -> None:
    say("ravi", "--backup", "sofia")
    assert say("ravi", "--back").output == "ravi is there.\n"
    assert ravi(world) == (None, None, None)
    assert say("ravi", "--back").output == "Nothing new.\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ravi", "--backup", "ravi"], "nobody stands in for themselves"),
        (["ravi", "--until", "2026-11-01"], "is not after"),
        (["ravi", "--back", "--backup", "sofia"], "back or away"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], error: str, world: World) -> None:
    with pytest.raises(InputRefused, match=error):
        say(*words)
    assert ravi(world) == (None, None, None)


def test_the_backup_of_a_backup_who_is_away_as_well_is_told_lists_the_accounts_and_may_answer(world: World) -> None:
    with writing(world.engine) as connection:
        tom = int(
            connection.execute(insert(Rep).values(email="tom@lumenflow.example", name="Tom Berg").returning(Rep.id))
            .scalar_one()
        )  # fmt: skip
    say("ravi", "--backup", "sofia")
    say("sofia", "--until", BACK.isoformat(), "--backup", "tom")
    tell(world.engine, signal("replied", "alice@acme.example"))
    sofia, acme = world.reps["sofia"], world.accounts["acme"]

    def asked(rep: int, at: datetime) -> tuple[bool, bool]:
        with reading(world.engine) as connection:
            lines = {line.id: line.instead_of for line in read_rep_accounts(connection, rep, play(), at)}
            return lines.get(acme) == "Ravi Menon", may(connection, rep, acme, at)

    def told(at: datetime) -> list[int]:
        with reading(world.engine) as connection:
            return [news.rep_id for news in untold(connection, at)]

    assert told(NOW) == [tom]
    assert (asked(tom, NOW), asked(sofia, NOW)) == ((True, True), (True, True))
    assert (asked(tom, BACK), asked(sofia, BACK)) == ((False, False), (True, True))
    say("sofia", "--back")
    assert told(NOW) == [sofia]
    say("ravi", "--back")
    assert told(NOW) == [world.reps["ravi"]]


def test_nobody_knows_that_rep() -> None:
    with pytest.raises(NotFound):
        say("nobody")
