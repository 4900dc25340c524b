"""Letters and notices by the road a rep has chosen; by e-mail where that road is shut, or for who is no rep."""

from accounts.errors import ChannelError, NotSent, OutcomeUnknown, Refused, Unreachable
from accounts.vocabulary import BriefState
from flows.channels.reps import Note
from flows.channels.reps.registry import LAST, Roads, order_for
from flows.settings import Settings


def tell(note: Note, roads: Roads, settings: Settings) -> tuple[BriefState, ChannelError | Refused | None]:
    """How it ended, and why it did not end well; `planned`: worth another try. It has been claimed.

    A road that is down is closed for the rest of the pass. Raises SettingsRefused for a key that cannot sign.
    """
    order = order_for(note.reader, settings, roads)
    for name in order[: order.index(LAST)]:
        try:
            roads[name].write_note(note)()
        except OutcomeUnknown as doubt:
            return BriefState.UNKNOWN, doubt
        except Unreachable:
            roads.pop(name).close()
        except (NotSent, Refused):
            continue
        else:
            return BriefState.DELIVERED, None
    return _by_mail(note, roads)


def _by_mail(note: Note, roads: Roads) -> tuple[BriefState, ChannelError | Refused | None]:
    try:
        roads[LAST].write_note(note)()
    except NotSent as refusal:
        return (BriefState.FAILED if refusal.permanent else BriefState.PLANNED), refusal
    except OutcomeUnknown as doubt:
        return BriefState.UNKNOWN, doubt
    except Refused as refusal:
        return BriefState.FAILED, refusal
    return BriefState.DELIVERED, None
