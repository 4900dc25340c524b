"""When may a mail leave? The recipient's place, their working hours, their public holidays.

All answers are instants in UTC; only the hours of the play are wall-clock times, read on the recipient's clock. Where
that clock jumps, the doubt goes to the recipient: an opening takes the later reading of an hour that does not exist
or exists twice, a closing the earlier one, so mail leaves only at times that lie inside the window on every reading.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from accounts.playbook import Weekday, Window
from accounts.public_holidays import public_holidays
from accounts.vocabulary import Reason

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: How far ahead an opening is looked for; a window that never opens in that time is closed for good.
HORIZON = 400

#: Countries with several zones whose first line in IANA's zone.tab is not where most people live.
MAIN_ZONES: Mapping[str, str] = MappingProxyType(
    {
        "AU": "Australia/Sydney",
        "BR": "America/Sao_Paulo",
        "CA": "America/Toronto",
        "FM": "Pacific/Pohnpei",
        "RU": "Europe/Moscow",
        "UA": "Europe/Kyiv",
        "UZ": "Asia/Tashkent",
    }
)

#: Codes people write for countries that ISO 3166 calls otherwise.
ALIASES: Mapping[str, str] = MappingProxyType({"UK": "GB", "EL": "GR"})


class ZoneSource(StrEnum):
    """Which link of the chain told us the recipient's time zone; kept with each decision and touch."""

    STAKEHOLDER = "stakeholder"
    STAKEHOLDER_COUNTRY = "stakeholder_country"
    ACCOUNT = "account"
    ACCOUNT_COUNTRY = "account_country"
    REP = "rep"
    PLAY = "play"


class Place(NamedTuple):
    """Where a recipient's clock and holidays are. `country`: ISO 3166 alpha-2, None when nobody told us."""

    timezone: str
    source: ZoneSource
    country: str | None


class Hours(NamedTuple):
    """One opening, `opens` <= t < `closes`, both UTC."""

    opens: datetime
    closes: datetime


def place_of(
    window: Window,
    timezone: str | None = None,
    country: str | None = None,
    account_timezone: str | None = None,
    account_country: str | None = None,
    rep_timezone: str | None = None,
) -> Place:
    """The first link of the chain that names a zone we know: the person, the account, the owner, the play.

    A zone outranks a country's main zone of the same link. Holidays follow the person's country, else the account's,
    else the play's.
    """
    holidays_in = country_code(country) or country_code(account_country) or country_code(window.default_country)
    chain = (
        (timezone, ZoneSource.STAKEHOLDER),
        (zone_of_country(country), ZoneSource.STAKEHOLDER_COUNTRY),
        (account_timezone, ZoneSource.ACCOUNT),
        (zone_of_country(account_country), ZoneSource.ACCOUNT_COUNTRY),
        (rep_timezone, ZoneSource.REP),
        (window.default_timezone, ZoneSource.PLAY),
    )
    for name, source in chain:
        if name and known_zone(name):
            return Place(name, source, holidays_in)
    return Place("UTC", ZoneSource.PLAY, holidays_in)


@cache
def known_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None for a name nobody knows (a CRM holds many of those)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, one that is no name, one that is a folder
        return None


def country_code(country: str | None) -> str | None:
    """ISO 3166 alpha-2 in capitals, or None for anything that is not two letters."""
    code = (country or "").strip().upper()
    return ALIASES.get(code, code) if len(code) == 2 and code.isalpha() else None


def zone_of_country(country: str | None) -> str | None:
    """The zone most people of a country live in. None for an unknown country."""
    code = country_code(country)
    if code is None:
        return None
    return MAIN_ZONES.get(code) or _first_zones().get(code)


@cache
def _first_zones() -> Mapping[str, str]:
    """Country -> first zone in IANA's zone.tab, which puts the most populous first where geography lets it."""
    zones: dict[str, str] = {}
    for line in resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            code, _, name, *_ = line.split("\t")
            zones.setdefault(code, name)
    return zones


@cache
def country_of_zone(name: str | None) -> str | None:
    """The country a zone lies in, by IANA's zone.tab. None for a zone of no country, such as UTC."""
    return _countries_of_zones().get(name or "")


@cache
def _countries_of_zones() -> Mapping[str, str]:
    lines = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {row[2]: row[0] for row in rows}


@cache
def calendar_at(window: Window, place: Place) -> "Calendar":
    """The one calendar of a place in this process: it remembers the days it was asked for."""
    return Calendar(window, place)


class Calendar:
    """The play's window, on the clock and with the holidays of one place."""

    def __init__(self, window: Window, place: Place) -> None:
        self.place = place
        self._window = window
        self._zone = known_zone(place.timezone) or UTC
        self._days = frozenset(WEEKDAYS.index(day) for day in window.days)
        self._ahead: dict[int, tuple[Hours, ...]] = {}
        self._hours: dict[date, Hours | None] = {}
        self._offsets: dict[int, timedelta] = {}

    def next_allowed(self, moment: datetime) -> datetime | None:
        """`moment` if mail may leave then, else the next opening. None when the window never opens again."""
        ordinal = moment.toordinal()
        ahead = self._ahead.get(ordinal)
        if ahead is None:
            ahead = self._ahead[ordinal] = self._hours_after(ordinal)
        for opens, closes in ahead:
            if moment < closes:
                return moment if moment >= opens else opens
        return None

    def later(self, moment: datetime, span: timedelta) -> datetime:
        """`span` after `moment`. Whole days are days of this place: two days after nine o'clock it is nine again, also
        where the clock was changed in between."""
        end = moment + span
        if span.seconds or span.microseconds or not span:
            return end
        remembered = self._offsets.get  # asked twice for every stakeholder: nearly always both days are known
        before, after = remembered(moment.toordinal()), remembered(end.toordinal())
        if before is None or after is None:
            before, after = self.offset(moment), self.offset(end)
        return end if before == after else end + (before - after)

    def offset(self, moment: datetime) -> timedelta:
        """How far the clock of this place is ahead of UTC; remembered for days on which it is not changed."""
        ordinal = moment.toordinal()
        offset = self._offsets.get(ordinal)
        if offset is None:
            midnight = datetime.combine(moment.date(), time(), tzinfo=UTC)
            offset = self._offset_at(moment)
            if self._offset_at(midnight) == self._offset_at(midnight + timedelta(days=1)):
                self._offsets[ordinal] = offset
        return offset

    def _offset_at(self, moment: datetime) -> timedelta:
        return self.local(moment).utcoffset() or timedelta(0)

    def why_closed(self, moment: datetime) -> Reason:
        """The word for a moment outside the window: a holiday on what would be a working day, or simply outside."""
        return Reason.HOLIDAY if self.holiday(moment) else Reason.OUTSIDE_WINDOW

    def holiday(self, moment: datetime) -> str | None:
        """The name of the public holiday that keeps a working day closed at `moment`, or None."""
        day = self.local(moment).date()
        return public_holidays(self.place.country, day.year).get(day) if day.weekday() in self._days else None

    def local(self, moment: datetime) -> datetime:
        """`moment` on the clock of this place."""
        return moment.astimezone(self._zone)

    def hours(self, day: date) -> Hours | None:
        """When the window is open on a day of this place, or None when it stays closed."""
        if day not in self._hours:
            self._hours[day] = self._hours_on(day)
        return self._hours[day]

    def _hours_on(self, day: date) -> Hours | None:
        if day.weekday() not in self._days or day in public_holidays(self.place.country, day.year):
            return None
        window = self._window
        last_day = day if window.closes > window.opens else day + timedelta(days=1)
        opens = max(self._readings(day, window.opens))
        closes = min(self._readings(last_day, window.closes))
        return Hours(opens, closes) if opens < closes else None

    def _readings(self, day: date, at: time) -> tuple[datetime, datetime]:
        """Both instants a wall-clock time can mean; they differ only where the clock jumps."""
        local = datetime.combine(day, at, tzinfo=self._zone)
        return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)

    def _hours_after(self, ordinal: int) -> tuple[Hours, ...]:
        """The openings a moment of this UTC day can fall into or before: three, since a day sees at most two close."""
        day = date.fromordinal(ordinal)
        midnight = datetime.combine(day, time(), tzinfo=UTC)
        found: list[Hours] = []
        for offset in range(-2, HORIZON):
            hours = self.hours(day + timedelta(days=offset))
            if hours is not None and hours.closes > midnight:
                found.append(hours)
            if len(found) == 3:
                break
        return tuple(found)
