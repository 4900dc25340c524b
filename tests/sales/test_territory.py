"""Divisions with different reps stay apart, and an account that changes hands takes along what belongs to it."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from accounts.answers import Limits
from accounts.errors import Refused
from accounts.ledger.engine import reading
from accounts.ledger.people.holds import open_holds
from accounts.ledger.reps.leases import read_lease
from accounts.models import Account, Handover, Letter
from accounts.playbook import LeaseRule
from flows.importing import import_paths
from flows.importing.mapping import MappingFile
from flows.sales.territory import keep_territory
from tests.cast import NOW, World
from tests.sales.desk import PLAY_IN_USE, audited, decided, say, touches
from tests.sending.desk import certified

HOUR = timedelta(hours=1)
RULE = LeaseRule()


def new_owner(world: World, folder: Path, owner: str, account: str = "acme") -> None:
    """An export in which the account belongs to somebody else."""
    (folder / "accounts.csv").write_text(
        f"account,name,owner_email\n{account},Acme Works,{owner and f'{owner}@lumenflow.example'}\n", encoding="utf-8"
    )
    import_paths(world.engine, [folder / "accounts.csv"], now=NOW + HOUR, play=PLAY_IN_USE)


def letters(world: World) -> list[tuple[str, str, list[str]]]:
    with reading(world.engine) as connection:
        rows = connection.execute(select(Letter.address, Letter.payload).order_by(Letter.id))
        return [(address, payload["headline"], payload["lines"]) for address, payload in rows]


def test_divisions_of_one_company_are_answered_for_apart(world: World) -> None:
    certified(world)
    say(world, "hold", "initech-south", by="sofia")
    assert touches(world, "ivan")[0][1] == "certified"
    with pytest.raises(Refused, match="not yours"):
        say(world, "release", "initech-south", by="ravi")


def test_an_account_that_changes_hands_takes_hold_lease_and_mail_along_and_tells_both(
    world: World, tmp_path: Path
) -> None:
    certified(world)
    say(world, "limits", limits=Limits(people=(world.people["erin"],)))
    say(world, "hold", person="charlie")
    new_owner(world, tmp_path, "sofia")
    assert keep_territory(world.engine, RULE, NOW + 2 * HOUR).handed_over == 1
    with reading(world.engine) as connection:
        lease = read_lease(connection, world.accounts["acme"], NOW + 2 * HOUR)
        assert lease is not None
        assert (lease.rep, lease.limits.people) == ("Sofía Ortega", (world.people["erin"],))
        assert [hold.email for hold in open_holds(connection, NOW + 2 * HOUR)] == ["charlie@acme.example"]
    assert touches(world, "alice")[0][1:] == ("cancelled", "owner_changed")
    both = ["One hold still in force.", "The lease on the account moved along, with its limits.",
            "Two planned mails were taken back. They will be planned again in the new name."]  # fmt: skip
    assert letters(world) == [
        ("ravi@lumenflow.example", "Acme Works is no longer yours: Sofía Ortega has it now",
         ["Your briefs leave it out from now on.", *both]),
        ("sofia@lumenflow.example", "Acme Works is yours now; Ravi Menon had it before",
         ["It stands in your briefs from now on.", *both]),
    ]  # fmt: skip
    assert audited(world)[-1] == ("tandem", "hand-over", "account:acme")
    say(world, "release", person="charlie", by="sofia", now=NOW + 3 * HOUR)
    assert decided(world, "charlie")[1] != "stakeholder_held"
    with pytest.raises(Refused, match="not yours"):
        say(world, "hold", by="ravi", now=NOW + 3 * HOUR)


def test_a_handover_is_settled_once_however_often_it_is_imported(world: World, tmp_path: Path) -> None:
    for _ in range(2):
        new_owner(world, tmp_path, "sofia")
        keep_territory(world.engine, RULE, NOW + 2 * HOUR)
    assert len(letters(world)) == 2
    with reading(world.engine) as connection:
        assert len(connection.execute(select(Handover.id)).all()) == 1


def test_an_account_that_loses_its_owner_loses_its_lease(world: World, tmp_path: Path) -> None:
    say(world, "take")
    new_owner(world, tmp_path, "")
    keep_territory(world.engine, RULE, NOW + 2 * HOUR)
    with reading(world.engine) as connection:
        assert connection.scalar(select(Account.owner_id).where(Account.key == "acme")) is None
        assert read_lease(connection, world.accounts["acme"], NOW + 2 * HOUR) is None
    assert [address for address, *_ in letters(world)] == ["ravi@lumenflow.example"]


def test_a_changed_row_with_the_same_owner_is_no_handover(world: World, tmp_path: Path) -> None:
    new_owner(world, tmp_path, "ravi")
    assert keep_territory(world.engine, RULE, NOW + 2 * HOUR).handed_over == 0


def test_an_account_follows_the_rep_of_its_latest_opportunity_where_no_list_names_owners(
    world: World, tmp_path: Path
) -> None:
    """Acme was Ravi's; the CRM's newest opportunity is Sofía's. Both are told, once."""
    (tmp_path / "opportunities.csv").write_text(
        "opportunity,account,stage,created_at,owner_email\n"
        "o-old,acme,Discovery,2026-11-20,ravi@lumenflow.example\n"
        "o-new,acme,Discovery,2026-11-21,sofia@lumenflow.example\n",
        encoding="utf-8",
    )
    columns = {name: name for name in ("opportunity", "account", "stage", "created_at", "owner_email")}
    reading_ = {"file": "opportunities.csv", "dataset": "opportunities", "columns": columns}
    mapping = MappingFile.model_validate({"owners": "latest opportunity", "read": [reading_]})
    for hours in (1, 2):
        now = NOW + hours * HOUR
        import_paths(world.engine, [tmp_path / "opportunities.csv"], mapping=mapping, now=now, play=PLAY_IN_USE)
    kept = keep_territory(world.engine, RULE, NOW + 3 * HOUR)
    assert kept.handed_over == 1
    with reading(world.engine) as connection:
        owner = connection.scalar(select(Account.owner_id).where(Account.key == "acme"))
        assert connection.execute(select(Handover.from_rep_id, Handover.to_rep_id)).all() == [
            (world.reps["ravi"], world.reps["sofia"])
        ]
    assert owner == world.reps["sofia"]
    assert {address for address, _, _ in letters(world)} == {"ravi@lumenflow.example", "sofia@lumenflow.example"}
