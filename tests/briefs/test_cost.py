"""What a pass of briefs costs: by what changed, and not by how many accounts and reps there are; on both databases."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from accounts.ledger.briefs.material import briefs_of
from accounts.ledger.briefs.written import read_looks
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Decision, Rep, Signal, SlaClock, Stakeholder
from accounts.playbook import Play
from flows.briefs.briefing import Briefed, brief_reps
from flows.channels.email.memory import Memory
from flows.sales.sla import keep_clocks
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, PLAY, World
from tests.statements import counting

MINUTE = timedelta(minutes=1)
#: Statements of a pass in which nobody is told anything, the beginnings of its transactions among them.
QUIET = 24

Pass = Callable[..., Briefed]
Plants = Callable[..., list[int]]


@pytest.fixture
def night(world: World, settings: Settings, play: Play) -> Pass:
    """A whole pass at a time."""

    def at(now: object = NOW, rep: str | None = None) -> Briefed:
        return brief_reps(world.engine, settings, play, now, channel=Memory(), rep=rep)  # type: ignore[arg-type]

    return at


@pytest.fixture
def plants(world: World) -> Plants:
    """So many more accounts of a rep, at each of which somebody did something an hour ago."""

    def add(number: int, rep: int) -> list[int]:
        with writing(world.engine) as connection:
            names = [f"plant-{rep}-{place}" for place in range(number)]
            rows = [{"key": name, "name": name, "owner_id": rep, "stage": "evaluation", "play": PLAY} for name in names]
            connection.execute(insert(Account), rows)
            ids = list(connection.scalars(select(Account.id).where(Account.key.in_(names)).order_by(Account.id)))
            people = [
                {"account_id": id, "email": f"p{id}@plant.example", "email_hash": f"{id:064}", "role": "champion"}
                for id in ids
            ]
            connection.execute(insert(Stakeholder), people)
            at = NOW - timedelta(hours=1)
            acts = [
                {"source": "test", "source_id": f"plant {id}", "kind": "visited", "account_id": id, "occurred_at": at,
                 "received_at": at}
                for id in ids
            ]  # fmt: skip
            connection.execute(insert(Signal), acts)
        return ids

    return add


def colleagues(world: World, number: int) -> list[int]:
    with writing(world.engine) as connection:
        rows = [{"email": f"rep{place}@lumenflow.example", "name": f"Rep {place}"} for place in range(number)]
        connection.execute(insert(Rep), rows)
        return list(connection.scalars(select(Rep.id).where(Rep.name.like("Rep %")).order_by(Rep.id)))


def statements_of_briefs(world: World, play: Play) -> int:
    with reading(world.engine) as connection, counting(world.engine) as statements:
        assert list(briefs_of(connection, read_looks(connection, NOW), play, NOW))
    return len(statements)


def test_forty_accounts_take_the_queries_of_ten(world: World, play: Play, plants: Plants) -> None:
    plants(10, world.reps["ravi"])
    of_ten = statements_of_briefs(world, play)
    plants(30, world.reps["sofia"])
    assert statements_of_briefs(world, play) == of_ten


def test_a_quiet_pass_is_a_few_queries_however_many_accounts_and_reps_there_are(
    world: World, night: Pass, plants: Plants
) -> None:
    plants(10, world.reps["ravi"])
    assert night().delivered == 1
    with counting(world.engine) as of_few:
        assert night(NOW + MINUTE).delivered == 0
    for rep in colleagues(world, 8):
        plants(5, rep)
    assert night(NOW + 2 * MINUTE).delivered == 8
    with counting(world.engine) as of_many:
        assert night(NOW + 3 * MINUTE).delivered == 0
    assert len(of_few) == len(of_many) <= QUIET


class TestWhatIsBroughtUpToDate:
    """Planning and clocks of the accounts that are told; the others' own flows look after them."""

    @pytest.fixture
    def replies(self, world: World, signal: Add) -> World:
        signal("alice", "acme", "replied", 0.1)
        signal("judy", "initech-south", "replied", 0.1)
        return world

    def accounts_in(self, world: World, table: type[Decision] | type[SlaClock]) -> set[int | None]:
        with reading(world.engine) as connection:
            return set(connection.scalars(select(table.account_id)))

    def test_clocks_start_where_somebody_is_told(self, replies: World, play: Play, night: Pass) -> None:
        acme, south = replies.accounts["acme"], replies.accounts["initech-south"]
        assert night(rep="ravi").delivered == 1
        assert self.accounts_in(replies, SlaClock) == {acme}
        keep_clocks(replies.engine, play, NOW)
        assert self.accounts_in(replies, SlaClock) == {acme, south}

    def test_what_is_told_is_planned_anew_and_nothing_else(self, replies: World, night: Pass) -> None:
        assert night(rep="ravi").delivered == 1
        assert self.accounts_in(replies, Decision) == {replies.accounts["acme"]}
