"""150 words an account, or as few as a rep wants: where there is more to say, TIGHTER says what goes first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from accounts.briefs.account import AccountBrief
from accounts.briefs.buttons import Button
from accounts.briefs.coming import Planned
from accounts.briefs.material import Evidence, Statement, unique
from accounts.briefs.rhythm import USUAL
from accounts.briefs.saying import counted
from accounts.briefs.seats import Seat, SeatState

MOST_WORDS = USUAL.words


@dataclass(frozen=True, slots=True)
class Room:
    """How many of each there is room for; 1 and 0 are yes and no."""

    news: int = 6
    seats: int = 12
    planned: int = 5
    named_mails: int = 1
    contact: int = 1
    sent: int = 1
    asset: int = 1
    question: int = 1
    because: int = 2
    objections: int = 3
    answers: int = 9


#: What goes first. News, the clock and the suggested step go last.
TIGHTER: tuple[dict[str, int], ...] = (
    {"planned": 3},
    {"news": 4},
    {"seats": 9},
    {"named_mails": 0},
    {"planned": 2},
    {"contact": 0},
    {"because": 1},
    {"objections": 1},
    {"news": 3},
    {"planned": 1},
    {"seats": 7},
    {"asset": 0},
    {"news": 2},
    {"answers": 3},
    {"seats": 5},
    {"question": 0},
    {"sent": 0},
    {"planned": 0},
    {"objections": 0},
    {"news": 1},
    {"because": 0},
    {"seats": 3},
    {"seats": 0},
    {"answers": 1},
)

#: Who stays in the picture when there is no room for all.
_STAYS = (SeatState.WARM, SeatState.OUT, SeatState.MISSING, SeatState.SILENT, SeatState.NEW)


def shorten(full: AccountBrief, most_words: int = MOST_WORDS) -> AccountBrief:
    """The account in at most so many words, as far as its names let it: as much of it as there is room for."""
    account = fit(full, Room())
    return account if account.words <= most_words else fit(full, _room_for(full, most_words))


def _room_for(full: AccountBrief, most_words: int) -> Room:
    """Tighter step by step until it fits; then whatever still fits after all comes back, the dearest first."""
    room, before = Room(), []
    for change in (change for change in TIGHTER if _matters(change, full)):
        before.append((change, {name: getattr(room, name) for name in change}))
        room = replace(room, **change)
        if _fits(full, room, most_words):
            break
    for change, earlier in reversed(before):
        roomier = replace(room, **earlier)
        if all(getattr(room, name) == value for name, value in change.items()) and _fits(full, roomier, most_words):
            room = roomier
    return room


def _matters(change: dict[str, int], full: AccountBrief) -> bool:
    """Whether it makes this account any shorter."""
    ((name, most),) = change.items()
    parts = {
        "news": full.news, "seats": full.group, "planned": full.planned, "because": full.because,
        "objections": full.objections, "answers": full.answers,
    }  # fmt: skip
    if name in parts:
        return len(parts[name]) > most
    return (full.sent if name == "named_mails" else getattr(full, name)) is not None


def _fits(full: AccountBrief, room: Room, most_words: int) -> bool:
    return fit(full, room).words <= most_words


def fit(full: AccountBrief, room: Room) -> AccountBrief:
    """As much of everything as there is room for; what is left out is counted and keeps its proof."""
    group = _picture(full.group, room.seats)
    return replace(
        full,
        news=full.news[: room.news],
        more_news=_more(full.news[room.news :]),
        group=group,
        more_seats=_more([seat for seat in full.group if seat not in group] if len(group) < len(full.group) else ()),
        planned=full.planned[: room.planned],
        more_planned=full.more_planned or _more_planned(full, full.planned[room.planned :]),
        sent=(full.sent if room.named_mails else _number_of(full.sent)) if room.sent else None,
        contact=full.contact if room.contact else None,
        asset=full.asset if room.asset else None,
        question=full.question if room.question else None,
        because=full.because[: room.because],
        objections=full.objections[: room.objections],
        answers=_chosen(full.answers, room.answers),
    )


def _chosen(answers: tuple[Button, ...], most: int) -> tuple[Button, ...]:
    """The first ones, and the last, which leads to all that is left out."""
    return answers if len(answers) <= most else (*answers[: most - 1], answers[-1])


def _picture(group: tuple[Seat, ...], seats: int) -> tuple[Seat, ...]:
    if len(group) <= seats:
        return group
    kept = sorted(group, key=lambda seat: _STAYS.index(seat.state))[:seats]
    return tuple(seat for seat in group if seat in kept)


def _more(left: Iterable[Statement | Seat]) -> Statement | None:
    left = tuple(left)
    return Statement(f"and {len(left)} more", _proof(left)) if left else None


def _more_planned(full: AccountBrief, left: tuple[Planned, ...]) -> Statement | None:
    if not left:
        return None
    is_all = len(left) == len(full.planned)
    return Statement(counted(len(left), "mail") if is_all else f"and {len(left)} more", _proof(left))


def _proof(left: Iterable[Statement | Seat | Planned]) -> Evidence:
    return unique(tuple(proof for one in left for proof in one.evidence))


def _number_of(sent: Statement | None) -> Statement | None:
    return Statement(counted(len(sent.evidence), "mail"), sent.evidence) if sent else None
