"""What an import says at the end: how many rows came, went in, were set aside and why. No addresses in here, so that it
may be shown anywhere: rows are named by file and line, accounts by their keys."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows of one data set that went to quarantine for the same reason; a row with two reasons counts in both."""

    dataset: str
    rule: str
    sentence: str
    cure: str
    rows: int
    #: Where the first of them stands, ``stakeholders.csv:12``.
    first: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is told and keeps nothing out."""

    rule: str
    sentence: str
    cure: str
    cases: int
    #: The first few, mostly account keys.
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the rows of one data set."""

    dataset: str
    files: tuple[str, ...]
    read: int
    added: int
    changed: int
    unchanged: int
    quarantined: int
    #: Rows that the mapping leaves out (`when`).
    left_out: int = 0
    #: Rows of people who asked to be erased: not stored anywhere.
    forgotten: int = 0
    #: Rows that say what an earlier one of their file says.
    copies: int = 0
    reasons: tuple[SetAside, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """The whole import."""

    datasets: tuple[Taken, ...]
    warnings: tuple[Warned, ...] = ()
    notices: tuple[str, ...] = ()
    is_rehearsal: bool = False

    @property
    def read(self) -> int:
        return sum(taken.read for taken in self.datasets)

    @property
    def written(self) -> int:
        return sum(taken.added + taken.changed for taken in self.datasets)

    @property
    def quarantined(self) -> int:
        return sum(taken.quarantined for taken in self.datasets)

    @property
    def reasons(self) -> tuple[SetAside, ...]:
        """Why rows were set aside, the most frequent reason first."""
        all_of_them = (reason for taken in self.datasets for reason in taken.reasons)
        return tuple(sorted(all_of_them, key=lambda reason: -reason.rows))

    def of(self, dataset: str) -> Taken:
        """What became of one data set. Raises KeyError if it was not part of the import."""
        return {taken.dataset: taken for taken in self.datasets}[dataset]

    def as_json(self) -> dict[str, Any]:
        from dataclasses import asdict

        totals = {"read": self.read, "written": self.written, "quarantined": self.quarantined}
        return {**totals, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of rows in quarantine that were judged again."""

    tried: int
    passed: int
    still: int
    datasets: tuple[Taken, ...] = ()
