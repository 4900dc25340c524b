"""From the columns of somebody's file to the fields of the CSV contract, all of them still text."""

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flows.importing.datasets import DATASETS, Kind
from flows.importing.mapping import Reading
from flows.importing.templating import CHANGES, PLACE


class Translator:
    """Turns rows of a file into columns of our fields, all values still text as the CSV contract writes it."""

    def __init__(self, reading: Reading, header: Sequence[str]) -> None:
        self.reading = reading
        self._place = {name.casefold(): number for number, name in enumerate(header)}
        self._days: dict[str, str] = {}

    def wanted_rows(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Numbers of the rows in which all columns named by `when` are filled."""
        needed = [self._place[column.casefold()] for column in self.reading.when]
        return [number for number, row in enumerate(rows) if all(row[column].strip() for column in needed)]

    def columns(self, rows: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
        """Field -> its value in each row. `rows` must not be empty."""
        by_column = list(zip(*rows, strict=True))
        return {field: self._translated(field, self._raw(field, by_column)) for field in self.reading.fields}

    def _raw(self, field: str, by_column: Sequence[Sequence[str]]) -> Sequence[str]:
        reading = self.reading
        if field in reading.constants:
            return [reading.constants[field]] * len(by_column[0])
        if field in reading.templates:
            return self._filled(reading.templates[field], by_column)
        return by_column[self._place[reading.source_of[field].casefold()]]

    def _filled(self, text: str, by_column: Sequence[Sequence[str]]) -> list[str]:
        """A template for each row; empty where one of its columns is."""
        columns = [by_column[self._place[column.strip().casefold()]] for column, _ in PLACE.findall(text)]
        changes = [CHANGES[change] for _, change in PLACE.findall(text)]
        pattern = PLACE.sub("\0", text).replace("%", "%%").replace("\0", "%s")
        known: dict[tuple[str, ...], str] = {}
        filled = []
        for values in zip(*columns, strict=True):
            if values not in known:
                parts = tuple(change(value.strip()) for change, value in zip(changes, values, strict=True))
                known[values] = pattern % parts if all(parts) else ""
            filled.append(known[values])
        return filled

    def _translated(self, field: str, values: Sequence[str]) -> Sequence[str]:
        reading = self.reading
        if field in reading.values:
            words = reading.values[field]
            other = words.get("*")
            values = [words.get(key, key if other is None else other) for key in map(str.strip, values)]
        kind = DATASETS[reading.dataset].field(field).kind
        if kind in (Kind.WHEN, Kind.DAY) and (reading.dates or reading.timezone):
            return [self._day(value.strip()) for value in values]
        if kind is Kind.MONEY and reading.decimal == ",":
            return [value.replace(".", "").replace(",", ".") for value in values]
        return values

    def _day(self, value: str) -> str:
        """A day or time as the contract writes it; what fits no format is left as it is, to be reported."""
        found = self._days.get(value)
        if found is None:
            if len(self._days) > 100_000:
                self._days.clear()
            found = self._days[value] = self._read_day(value)
        return found

    def _read_day(self, value: str) -> str:
        for pattern in self.reading.dates or (None,):
            try:
                moment = datetime.strptime(value, pattern) if pattern else datetime.fromisoformat(value)  # noqa: DTZ007
            except ValueError:
                continue
            if not (re.search(r"%[HIcXf]", pattern) if pattern else len(value) > len("2026-11-22")):
                return moment.date().isoformat()
            zone = ZoneInfo(self.reading.timezone or "UTC")
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
        return value


def translate_one(reading: Reading, header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """One row as fields, for rows that are set aside."""
    return {field: values[0] for field, values in Translator(reading, header).columns([list(row)]).items()}
