"""Days in people's sentences, in the languages of phrases/days.toml: which day, and what is said of it.

    mentions("ich bin bis 03.01. weg", …)   -> the third of January, the last day of something

A year that is left out is the one that brings the day closest to the day of writing. A month that is left out ("Monday
the 16th") is the next one in which there is such a day, unless it has just gone by. ``1/5/2027`` is a day in January or
in May: month first in English from American time zones, day first everywhere else, unless only the other reading lies
ahead.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import cache

from flows.mailbox.saying import table

#: Letters before and behind a day that say what it is.
BEFORE, BEHIND = 60, 45
#: A reading of 1/5 further away than this gives way to the other, if that is closer.
_FAR = timedelta(days=120)
#: A day without its month is not looked for further back or ahead: notes are forgotten for a week, and leave is longer
#: than two months only where the month is named.
_GONE_BY, _NEXT_MONTHS = timedelta(days=7), 3


class Sense(IntEnum):
    """What is said of a day, the clearer the lower."""

    BACK = 1
    THROUGH = 2
    UNTIL = 3
    SPAN_END = 4
    NOTHING = 5


@dataclass(frozen=True, slots=True)
class Mention:
    day: date
    sense: Sense
    start: int
    end: int
    #: Names both ends of a span: "9 to 13 November".
    is_span: bool = False


def _alternatives(groups: Sequence[Sequence[str]]) -> str:
    return "|".join(sorted((re.escape(word) for group in groups for word in group), key=len, reverse=True))


@cache
def _numbers(name: str) -> dict[str, int]:
    return {word: number for number, group in enumerate(table("days")[name]) for word in group}


@cache
def _pattern() -> re.Pattern[str]:
    months, weekdays = _alternatives(table("days")["months"]), _alternatives(table("days")["weekdays"])
    article, ordinal = r"(?:(?:den|dem|der|the|le|el|dia),? )?", r"(?:st|nd|rd|th|er|ter|ten|º|o|\.)?"
    ahead = rf"(?:(?P<ahead>{weekdays})\b\.?,? {article})?"
    year = r"(?:,? (?:de |del |do )?(?P<{0}>20\d\d|'?\d\d(?=\W|$)(?!:)))?"
    to = r" ?(?:[-–—/]|and|to|through|thru|until|till|und|bis(?: zum)?|t/m|tot en met|au|al|y|et|e|a|en) ?"
    span = rf"(?P<span>\d{{1,2}}{ordinal}{to}(?:(?:{weekdays})\b\.?,? )?{article})?"
    weeks, other = (_alternatives([table("days")[name]]) for name in ("weeks", "no_days"))
    is_day = rf"(?![\w:]|[.,/-]\d| ?(?:{other}|{months})(?!\w))"
    alone = (
        r"\d{1,2}(?=st|nd|rd|th)|(?:(?<=den )|(?<=dem )|(?<=zum )|(?<=vom )|(?<=bis )|(?<=ab )|(?<=am ))\d{1,2}(?=\.)"
    )
    alone += r"|(?:(?<=\ble )|(?<=jusqu'au )|(?<=\bel )|(?<=\bdel )|(?<=\bal ))\d{1,2}"
    return re.compile(
        rf"(?<![\w.]){ahead}(?:"
        r"(?P<iy>20\d\d)[-/.](?P<im>\d{1,2})[-/.](?P<id>\d{1,2})(?!\d)"
        rf"|{span}(?P<d>\d{{1,2}}){ordinal},?(?: ?of| de)? ?[-.]?"
        rf"(?P<m>{months})\b\.?{year.format('y')}"
        rf"|(?P<m2>{months})\.? (?:the )?(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?"
        rf"(?:{to}(?:the )?(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?{is_day})?(?!\d|:|\.\d){year.format('y2')}"
        r"|(?P<a>\d{1,2})(?P<sep>[./-]) ?(?P<b>\d{1,2})(?:\.|(?P=sep)) ?(?P<ny>20\d\d|\d\d)?(?![\d:])"
        r"|(?P<a2>\d{1,2})/(?P<b2>\d{1,2})(?![\d/:])"
        rf"|(?:in |of |in der |der |de la )?(?:{weeks}) ?(?P<wn>\d{{1,2}})(?:{to}(?P<wn2>\d{{1,2}}))?(?!\d)"
        rf"|(?(ahead)(?P<d4>\d{{1,2}})|(?P<d5>{alone})){ordinal}{is_day}"
        rf")|\b(?P<w>{weekdays})\b|\b(?P<t>{'|'.join(table('days')['tomorrow'])})\b"
        rf"|\b(?P<m3>{months})\b\.?(?: (?:de |del )?(?P<y3>20\d\d))?"
    )


def mentions(text: str, written: date, month_first: bool) -> Iterator[Mention]:
    """Days in a text that `plain` has made, in order, each with what is said of it; days that do not exist are none."""
    previous: re.Match[str] | None = None
    for found in list(_pattern().finditer(text))[:40]:
        day = _day_of(found, written, month_first)
        if day is not None and (sense := _sense_of(text, found, previous)) is not Sense.NOTHING:
            last = _last_of(day, found) if sense in (Sense.THROUGH, Sense.SPAN_END) else day
            yield Mention(last, sense, *found.span(), is_span=_is_span(found))
        previous = found


def _is_span(found: re.Match[str]) -> bool:
    return bool(found["span"] or found["d3"] or found["wn2"])


def _day_of(found: re.Match[str], written: date, month_first: bool) -> date | None:
    said = found.groupdict()
    if said["iy"]:
        return _day(int(said["iy"]), int(said["im"]), int(said["id"]))
    if said["m"] or said["m2"]:
        month = _numbers("months")[said["m"] or said["m2"]] + 1
        return _dated(int(said["d"] or said["d3"] or said["d2"]), month, said["y"] or said["y2"], written)
    if said["a"] or said["a2"]:
        return _numeric(found, written, month_first)
    if said["d4"] or said["d5"]:
        return _of_some_month(int(said["d4"] or said["d5"]), said["ahead"], written)
    if said["wn"]:
        return _in_week(int(said["wn2"] or said["wn"]), said["ahead"], written)
    if said["w"]:
        ahead = (_numbers("weekdays")[said["w"]] - written.weekday() - 1) % 7 + 1
        return written + timedelta(days=ahead)
    if said["t"]:
        return written + timedelta(days=1)
    return _dated(1, _numbers("months")[said["m3"]] + 1, said["y3"], written)


def _numeric(found: re.Match[str], written: date, month_first: bool) -> date | None:
    first, second = int(found["a"] or found["a2"]), int(found["b"] or found["b2"])
    day_first = _dated(first, second, found["ny"], written)
    if (found["sep"] or "/") == ".":
        return day_first
    turned = _dated(second, first, found["ny"], written)
    usual, other = (turned, day_first) if month_first else (day_first, turned)
    if usual is None or other is None:
        return usual or other
    is_odd = usual < written or usual - written > _FAR
    return other if is_odd and written <= other <= written + _FAR else usual


def _of_some_month(day: int, weekday: str | None, written: date) -> date | None:
    """ "Monday the 16th": the next one, or the last if that has just gone by. None where no such day is a Monday."""
    months = (written.year * 12 + written.month - 1 + shift for shift in range(-1, _NEXT_MONTHS))
    days = (_day(month // 12, month % 12 + 1, day) for month in months)
    wanted = _numbers("weekdays")[weekday] if weekday else None
    near = (there for there in days if there and there >= written - _GONE_BY)
    return next((there for there in near if wanted in (None, there.weekday())), None)


def _in_week(week: int, weekday: str | None, written: date) -> date | None:
    """That day of an ISO week, its Monday where none is named, in the year that brings it closest."""
    number = _numbers("weekdays")[weekday] + 1 if weekday else 1
    years = (written.year + shift for shift in (-1, 0, 1))
    near = (_iso_day(year, week, number) for year in years)
    return min(filter(None, near), key=lambda there: abs(there - written), default=None)


def _dated(day: int, month: int, year: str | None, written: date) -> date | None:
    if year:
        number = int(year.strip("'"))
        return _day(number + 2000 if number < 100 else number, month, day)
    near = (_day(written.year + shift, month, day) for shift in (-1, 0, 1))
    return min(filter(None, near), key=lambda there: abs(there - written), default=None)


def _iso_day(year: int, week: int, weekday: int) -> date | None:
    try:
        return date.fromisocalendar(year, week, weekday)
    except ValueError:
        return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _last_of(day: date, found: re.Match[str]) -> date:
    """ "Until the end of March" ends with its last day, "through March" as well, and week 47 with its Sunday."""
    if found["wn"] and not found["ahead"]:
        return day + timedelta(days=6)
    if not found["m3"]:
        return day
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _sense_of(text: str, found: re.Match[str], previous: re.Match[str] | None) -> Sense:
    before = _without_fillers(text[max(0, found.start() - BEFORE) : found.start()])
    behind = text[found.end() : found.end() + BEHIND]
    if previous is not None and not found["m3"] and found.start() - previous.end() <= 30:
        between = text[previous.end() : found.start()]
        if _without_fillers(between).strip(" ,.)") in table("days")["cues"]["span"]:
            return Sense.SPAN_END if not _begins(behind, "inclusive") else Sense.THROUGH
    sense = _by_cue(before)
    if sense is Sense.UNTIL and _begins(behind, "inclusive"):
        return Sense.THROUGH
    if _is_span(found):
        return Sense.SPAN_END
    if found["m3"] and sense is Sense.NOTHING:
        return sense
    if sense is Sense.NOTHING and _says_back(behind):
        return Sense.BACK
    return sense


@cache
def _cue_table() -> tuple[tuple[str, Sense], ...]:
    cues = table("days")["cues"]
    senses = (("back", Sense.BACK), ("through", Sense.THROUGH), ("until", Sense.UNTIL))
    found = [(f" {cue}", sense) for name, sense in senses for cue in cues[name]]
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))


def _by_cue(before: str) -> Sense:
    padded = f" {before.rstrip(' ,:(')}".replace("(", " ")
    return next((sense for cue, sense in _cue_table() if padded.endswith(cue)), Sense.NOTHING)


@cache
def _fillers() -> re.Pattern[str]:
    words = "|".join(table("days")["fillers"])
    return re.compile(rf"(?:^|[ (])(?:{words}|\d{{1,2}}(?:[:.]\d\d)? ?(?:am|pm|uhr|h))[ ,:(]*$")


def _without_fillers(before: str) -> str:
    """The text before a day without the small words between; a cue that is such a word itself stays."""
    before = before.rstrip(" ,:(")
    while not _is_cue(before) and (found := _fillers().search(before)):
        before = before[: found.start()].rstrip(" ,:(")
    return before


def _is_cue(before: str) -> bool:
    padded = f" {before}"
    return any(padded.endswith(cue) for cue, _ in _cue_table() if cue.count(" ") > 1)


def _begins(behind: str, name: str) -> bool:
    return behind.lstrip(" ,(.").startswith(tuple(table("days")["after"][name]))


_SENTENCE = re.compile(r"[.!?;](?: |$)")


def _says_back(behind: str) -> bool:
    sentence = _SENTENCE.split(behind, maxsplit=1)[0]
    nearest = _pattern().search(sentence)
    return any(cue in sentence[: nearest.start() if nearest else None] for cue in table("days")["after"]["back"])
