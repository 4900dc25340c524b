"""The CSV contract: which files there are, which columns they have, and the order they are taken in.

A column that a file does not have is left as it is in the ledger; a column that is there and empty empties the value.
"""

from dataclasses import dataclass
from enum import StrEnum

from expectations.accounts import ACCOUNTS
from expectations.activities import ACTIVITIES
from expectations.opportunities import OPPORTUNITIES
from expectations.reps import REPS
from expectations.rules import Suite
from expectations.stakeholders import STAKEHOLDERS


class Kind(StrEnum):
    """What a value has to be; the text says it to the person whose value is not."""

    LINE = "a text of at most 300 characters"
    KEY = "a text of at most 120 characters"
    WORD = "a text of at most 40 characters"
    CHOICE = "one word"
    EMAIL = "an e-mail address such as dana@acme.example"
    DOMAIN = "a domain such as acme.example"
    WHEN = "a day or time such as 2026-11-22 or 2026-11-22T09:30+01:00"
    HOUR = "a full hour such as 16 or 16:00"
    DAY = "a day such as 2026-11-22"
    MONEY = "an amount such as 1200.50"
    TRUTH = "true or false"
    ZONE = "a time zone such as Europe/Berlin"
    COUNTRY = "a country code such as DE"
    CURRENCY = "a currency code such as EUR"
    STAGE = "a stage of the play, or its name in the CRM"


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Kind = Kind.LINE
    #: The file is refused without this column.
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of file. `key`: the fields that identify a row for ever."""

    name: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    suite: Suite

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.is_required)

    def field(self, name: str) -> Field:
        """The field of this name. Raises KeyError when there is none."""
        return {field.name: field for field in self.fields}[name]


def _must(name: str, kind: Kind = Kind.LINE) -> Field:
    return Field(name, kind, is_required=True)


#: In the order they are taken: each may refer to those before it.
DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "reps",
            ("email",),
            (
                _must("email", Kind.EMAIL),
                _must("name"),
                Field("manager_email", Kind.EMAIL),
                Field("timezone", Kind.ZONE),
                Field("slack_id", Kind.KEY),
                Field("away_from", Kind.WHEN),
                Field("away_until", Kind.WHEN),
                Field("backup_email", Kind.EMAIL),
                Field("brief_hour", Kind.HOUR),
            ),
            REPS,
        ),
        Dataset(
            "accounts",
            ("account",),
            (
                _must("account", Kind.KEY),
                _must("name"),
                Field("domain", Kind.DOMAIN),
                Field("parent", Kind.KEY),
                Field("division"),
                Field("tier", Kind.WORD),
                Field("industry"),
                Field("territory"),
                Field("country", Kind.COUNTRY),
                Field("timezone", Kind.ZONE),
                Field("owner_email", Kind.EMAIL),
                Field("stage", Kind.STAGE),
            ),
            ACCOUNTS,
        ),
        Dataset(
            "stakeholders",
            ("account", "email"),
            (
                _must("account", Kind.KEY),
                _must("email", Kind.EMAIL),
                Field("first_name"),
                Field("last_name"),
                Field("title"),
                Field("role"),
                Field("timezone", Kind.ZONE),
                Field("country", Kind.COUNTRY),
                Field("language", Kind.CHOICE),
                Field("consent_basis", Kind.CHOICE),
                Field("consent_at", Kind.WHEN),
                Field("ads_consent_basis", Kind.CHOICE),
                Field("ads_consent_at", Kind.WHEN),
                Field("opted_out", Kind.TRUTH),
                Field("crm_id", Kind.KEY),
            ),
            STAKEHOLDERS,
        ),
        Dataset(
            "opportunities",
            ("opportunity",),
            (
                _must("opportunity", Kind.KEY),
                _must("account", Kind.KEY),
                Field("name"),
                _must("stage"),
                Field("amount", Kind.MONEY),
                Field("currency", Kind.CURRENCY),
                Field("created_at", Kind.WHEN),
                Field("close_date", Kind.DAY),
                Field("closed_at", Kind.WHEN),
                Field("is_won", Kind.TRUTH),
                Field("is_closed", Kind.TRUTH),
                Field("owner_email", Kind.EMAIL),
            ),
            OPPORTUNITIES,
        ),
        Dataset(
            "activities",
            ("activity",),
            (
                _must("activity", Kind.KEY),
                _must("account", Kind.KEY),
                Field("stakeholder_email", Kind.EMAIL),
                Field("rep_email", Kind.EMAIL),
                _must("kind", Kind.CHOICE),
                Field("direction", Kind.CHOICE),
                Field("outcome"),
                _must("occurred_at", Kind.WHEN),
                Field("subject"),
            ),
            ACTIVITIES,
        ),
    )
}
