"""Which rules the scores of each play are made with: kept in the ledger, so that two plays never reweigh each other.

An account's score follows the rules of the play it is in. Accounts in no play, or in one that has never scored, follow
the play that scored first, whichever runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select

from accounts.ledger.bulk import insert_into
from accounts.models import Weighing as Row
from accounts.playbook import Engagement as Rules
from accounts.playbook import Play
from accounts.vocabulary import SignalKind


@dataclass(frozen=True, slots=True)
class Weighing:
    """Rules by play, the oldest play first."""

    rules: Mapping[str, Rules]

    @property
    def first(self) -> str:
        """The play whose rules count where no other's do. Empty before anything was scored."""
        return next(iter(self.rules), "")

    def play_of(self, play: str | None) -> str:
        """Whose rules count for an account that is in `play`."""
        return play if play is not None and play in self.rules else self.first

    @property
    def kinds(self) -> dict[str, SignalKind]:
        """Kinds that weigh something in any play, by their names."""
        return {kind.value: kind for rules in self.rules.values() for kind, weight in rules.weights.items() if weight}


def read_weighing(connection: Connection) -> Weighing:
    """What the scores in the ledger were made with."""
    query = select(Row.play, Row.rules).order_by(Row.id)
    return Weighing({play: _read(rules) for play, rules in connection.execute(query)})


def weighing_for(connection: Connection, play: Play) -> Weighing:
    """The same, after a play that never scored was entered with its rules of today."""
    known = read_weighing(connection)
    return known if play.key in known.rules else enter(connection, play)


def enter(connection: Connection, play: Play) -> Weighing:
    """From now on the play's scores are made with its rules of today; what was made before has to be made anew."""
    insert = insert_into(connection, Row)
    rules = {"rules": insert.excluded.rules}
    values = {"play": play.key, "rules": _written(play.engagement)}
    connection.execute(insert.on_conflict_do_update(index_elements=["play"], set_=rules), values)
    return read_weighing(connection)


def _written(rules: Rules) -> dict[str, object]:
    return rules.model_dump(mode="json") | {"half_life": rules.half_life.total_seconds()}


def _read(rules: dict[str, object]) -> Rules:
    return Rules.model_validate(rules | {"half_life": timedelta(seconds=float(str(rules["half_life"])))})
