"""Is somebody away, and from when on are they back?

The day of return begins at 08:00 where the reader is: in the zone of the note's own Date header. "Back on the 5th" is
the 5th; "until the 5th" is the 5th in English, where it is said of the first day at the desk; "until and including",
"bis", "jusqu'au" and "hasta" name the last day away, and so do spans: back on the next working day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from itertools import zip_longest

from flows.mailbox.days import Mention, Sense, mentions
from flows.mailbox.reading import Mail
from flows.mailbox.saying import phrases, plain, table

BEGINS_WORK = time(8)
#: A return further away than this is a misread date. accounts.outcomes bounds the pause itself, at 90 days.
FURTHEST = timedelta(days=366)
#: Letters of a note that are searched for days.
_WORDS = 2_500
#: Zones in which English writes the month first.
_AMERICA = (timedelta(hours=-10), timedelta(hours=-4))
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Away:
    """What a note says of an absence."""

    says_so: bool
    #: It also reads like a note: "in urgent cases", "thank you for your message".
    formulas: bool
    #: UTC; None where no day is named that lies ahead.
    back_at: datetime | None


def read_absence(mail: Mail, words: str, received_at: datetime | None = None, by_program: bool = False) -> Away:
    """What the words of a mail say of an absence; `words` are its own, without what it quotes.

    A program that names the day somebody is back says that they are away, however it puts that.
    """
    subject, text = plain(mail.subject), plain(words[:_WORDS])
    away = phrases("absences", "away")
    says_so = away.find(text) >= 0 or away.find(subject) >= 0
    asked = says_so or by_program
    back = _back(f"{subject} . {text}", written_at(mail) or received_at, says_so) if asked else None
    return Away(says_so or back is not None, phrases("absences", "formulas").find(text) >= 0, back)


def written_at(mail: Mail) -> datetime | None:
    """The mail's Date in the zone of who wrote it; a date that nobody can read is None."""
    for value in (mail.header("date"), *(line.rpartition(";")[2] for line in mail.headers("received")[:1])):
        try:
            moment = parsedate_to_datetime(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            moment.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return moment
    return None


def _back(text: str, written: datetime | None, is_away: bool) -> datetime | None:
    if written is None:
        return None
    zone = written.tzinfo or UTC
    found = list(mentions(text, written.date(), _is_month_first(text, written)))
    told = [mention for mention in _without_beginnings(found) if is_away or mention.sense is Sense.BACK]
    for mention in sorted(told, key=lambda mention: mention.sense):
        back = _first_day(mention)
        moment = _morning(back, zone)
        if moment is not None and timedelta(0) < moment - written <= FURTHEST:
            return moment
    return None


def _without_beginnings(found: list[Mention]) -> list[Mention]:
    """Spans end with a day and begin with one, and only the end says when somebody is back."""
    pairs = zip_longest(found, found[1:])
    return [mention for mention, after in pairs if after is None or not _ends(mention, after)]


def _ends(mention: Mention, after: Mention) -> bool:
    close = after.start - mention.end <= 30 and mention.day <= after.day
    return after.sense is Sense.SPAN_END and close and not mention.is_span


def _first_day(mention: Mention) -> date:
    if mention.sense not in (Sense.THROUGH, Sense.SPAN_END):
        return mention.day
    day = mention.day + timedelta(days=1)
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= _SATURDAY else day


def _morning(day: date, zone: tzinfo) -> datetime | None:
    try:
        return datetime.combine(day, BEGINS_WORK, zone).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _is_month_first(text: str, written: datetime) -> bool:
    offset = written.utcoffset() or timedelta(0)
    words = set(text.split())
    small = table("absences")["small_words"]
    is_english = len(words.intersection(small["english"])) > len(words.intersection(small["foreign"]))
    return is_english and _AMERICA[0] <= offset <= _AMERICA[1]
