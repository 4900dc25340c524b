"""Days, times and counts as sentences about answers say them, on the clock of who reads them (None: the machine's)."""

from datetime import datetime, timedelta, tzinfo

from accounts.answers.kinds import Via

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WHERE = {
    Via.EMAIL: "by e-mail",
    Via.SLACK: "in Slack",
    Via.TEAMS: "in Teams",
    Via.WEB: "on the web",
    Via.CLI: "by command",
}


def day(at: datetime, now: datetime, zone: tzinfo | None) -> str:
    """``3 December``; with the year when it is another one; with the time when it is not midnight."""
    there, today = at.astimezone(zone), now.astimezone(zone)
    year = "" if there.year == today.year else f" {there.year}"
    time = "" if (there.hour, there.minute) == (0, 0) else f", {there:%H:%M}"
    return f"{there.day} {there:%B}{year}{time}"


def moment(at: datetime, now: datetime, zone: tzinfo | None) -> str:
    """``on Tuesday at 09:12`` within six days, otherwise ``on 12 October at 09:12``."""
    there = at.astimezone(zone)
    near = abs(there.date() - now.astimezone(zone).date()) <= timedelta(days=6)
    return f"on {f'{there:%A}' if near else f'{there.day} {there:%B}'} at {there:%H:%M}"


def counted(number: int, thing: str) -> str:
    """``one planned mail``, ``two planned mails``."""
    count = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
    return f"{count} {thing}{'s' * (number != 1)}"


def taken_back(number: int) -> str:
    """A sentence about planned mails that do not leave any more; nothing where there were none."""
    if not number:
        return ""
    said = counted(number, "planned mail")
    return f"{said[0].upper()}{said[1:]} {'was' if number == 1 else 'were'} taken back."


def signed(sentence: str, by: str, via: Via) -> str:
    """``No mail to Acme Works until 3 December. (Ravi Menon, in Slack)``"""
    return f"{sentence} ({by}, {_WHERE[via]})"
