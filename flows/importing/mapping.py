"""A mapping file: how the columns of somebody else's export become the fields of ours. See docs/importing.md.

    source: maven                    # kept with every row
    owners: latest opportunity       # for exports that do not say who owns an account
    read:
      - file: sales_pipeline.csv     # a name, or a pattern such as pipeline-*.csv
        dataset: opportunities
        columns: { opportunity_id: opportunity, deal_stage: [stage, is_won] }
        templates: { owner_email: "{sales_agent|slug}@sales.example" }
        constants: { currency: USD }
        values: { is_won: { Won: "true", Lost: "false" } }
        dates: "%d-%m-%y"
        when: [account]              # rows in which one of these columns is empty are left out

Without a mapping file the columns are called as our fields are.
"""

import codecs
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from accounts.textfiles import Marked, nearest, read_yaml, validated
from flows.importing.datasets import DATASETS, Dataset
from flows.importing.templating import CHANGES, PLACE


def _as_text(value: object) -> object:
    """Numbers and true/false of YAML as the text they stand for in a CSV file."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_as_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reading(_Frozen):
    """One kind of file read as one dataset."""

    file: str
    dataset: str
    #: Column of the file -> our field, or several of them.
    columns: dict[Text, Texts] = Field(default_factory=dict)
    #: Our field -> text with {column} or {column|slug}; empty when one of its columns is.
    templates: dict[str, str] = Field(default_factory=dict)
    #: Our field -> the same value for every row.
    constants: dict[str, Text] = Field(default_factory=dict)
    #: Our field -> what a value is called there -> what it is called here; "*" for all others.
    values: dict[str, dict[Text, Text]] = Field(default_factory=dict)
    #: Formats of days and times, as strptime writes them; the first that fits.
    dates: Texts = ()
    #: The zone of times that do not say one.
    timezone: str | None = None
    decimal: Literal[".", ","] = "."
    encoding: str | None = None
    when: Texts = ()

    @property
    def source_of(self) -> dict[str, str]:
        """Our field -> the column it is read from."""
        return {field: column for column, fields in self.columns.items() for field in fields}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields this reading gives, in the order of the contract."""
        given = {*self.source_of, *self.templates, *self.constants}
        return tuple(name for name in DATASETS[self.dataset].names if name in given)

    @property
    def wanted(self) -> frozenset[str]:
        """The columns that must be in the file."""
        in_templates = {column for text in self.templates.values() for column, _ in PLACE.findall(text)}
        return frozenset({*self.columns, *in_templates, *self.when})


class MappingFile(_Frozen):
    source: str = Field("csv", max_length=40)
    owners: Literal["as given", "latest opportunity"] = "as given"
    read: tuple[Reading, ...]

    def readings_of(self, file: str) -> tuple[Reading, ...]:
        """How a file of this name is read; a file may hold several datasets."""
        return tuple(reading for reading in self.read if fnmatch(file.lower(), reading.file.lower()))


def load_mapping(path: Path) -> MappingFile:
    """Raises ContentRefused with file, line, key and what would be valid."""
    marked, _ = read_yaml(path)
    mapping = validated(marked, MappingFile)
    if not mapping.read:
        marked.refuse("the mapping reads no file", "read", cure="add a line: - file: …")
    for number, reading in enumerate(mapping.read):
        _check(marked, number, reading)
    return mapping


def native(dataset: Dataset, header: Iterable[str]) -> Reading:
    """The reading of a file in our own format: each column that is called as a field is that field."""
    columns = {name: (field_name(name),) for name in header if field_name(name) in dataset.names}
    return Reading(file="*", dataset=dataset.name, columns=columns)


def field_name(column: str) -> str:
    """``Owner E-Mail `` names the field owner_e_mail: case, blanks and dashes do not matter."""
    return re.sub(r"[\s\-]+", "_", column.strip().casefold())


def _check(marked: Marked, number: int, reading: Reading) -> None:
    """What pydantic cannot know: fields of the dataset, columns of templates, formats, zones and encodings."""
    place = ("read", number)
    if reading.dataset not in DATASETS:
        cure = nearest(reading.dataset, DATASETS)
        marked.refuse(f"there is no dataset {reading.dataset!r}", *place, "dataset", cure=cure)
    for part, field, key in _fields_named(reading):
        if field not in DATASETS[reading.dataset].names:
            cure = nearest(field, DATASETS[reading.dataset].names)
            marked.refuse(f"{reading.dataset} have no field {field!r}", *place, part, key, cure=cure)
    _check_once(marked, number, reading)
    missing = [name for name in DATASETS[reading.dataset].required if name not in reading.fields]
    if missing:
        cure = f"add it to columns, templates or constants: {', '.join(missing)}"
        marked.refuse(f"nothing gives the field {missing[0]!r} of {reading.dataset}", *place, "dataset", cure=cure)
    _check_formats(marked, number, reading)


def _fields_named(reading: Reading) -> list[tuple[str, str, str]]:
    """(part of the file, field, key under which it stands)."""
    columns = [("columns", field, column) for column, fields in reading.columns.items() for field in fields]
    others = [(part, field, field) for part in ("templates", "constants", "values") for field in getattr(reading, part)]
    return columns + others


def _check_once(marked: Marked, number: int, reading: Reading) -> None:
    met: set[str] = set()
    for part, field, key in _fields_named(reading):
        if part != "values" and field in met:
            marked.refuse(f"the field {field!r} is given twice", "read", number, part, key, cure="keep one of them")
        met.add(field)


def _check_formats(marked: Marked, number: int, reading: Reading) -> None:
    place = ("read", number)
    for field, text in reading.templates.items():
        for _, change in PLACE.findall(text):
            if change not in CHANGES:
                marked.refuse(
                    f"there is no change {change!r}", *place, "templates", field, cure=nearest(change, CHANGES)
                )
    for pattern in reading.dates:
        if "%" not in pattern:
            cure = 'write it as "%d-%m-%y": %d day, %m month, %Y year, %y year of two digits, %H:%M time'
            marked.refuse(f"{pattern!r} is not a date format", *place, "dates", cure=cure)
    if reading.timezone and not _is_zone(reading.timezone):
        marked.refuse(f"there is no time zone {reading.timezone!r}", *place, "timezone", cure="such as Europe/Berlin")
    if reading.encoding and not _is_encoding(reading.encoding):
        marked.refuse(f"there is no encoding {reading.encoding!r}", *place, "encoding", cure="such as windows-1250")


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (KeyError, OSError, ValueError):
        return False


def _is_encoding(name: str) -> bool:
    try:
        return bool(codecs.lookup(name))
    except LookupError:
        return False
