"""Tables that people open in a spreadsheet: no cell is taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence


def write_sheet(headers: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """The CSV text, headers first; a cell that a row does not have is empty."""
    text = io.StringIO()
    sheet = csv.DictWriter(text, headers, restval="")
    sheet.writeheader()
    sheet.writerows({header: as_text(value) for header, value in row.items()} for row in rows)
    return text.getvalue()


def as_text(value: str) -> str:
    """A cell as text: an apostrophe before what a spreadsheet would calculate, no line ends or control characters."""
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", value).strip()
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else plain
