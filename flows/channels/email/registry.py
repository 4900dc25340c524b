"""Which e-mail channel is it? One line a channel; a provider is imported only when it is chosen."""

from collections.abc import Callable

from flows.channels.email import EmailChannel
from flows.settings import Settings


def _memory(settings: Settings) -> EmailChannel:
    from flows.channels.email.memory import Memory

    return Memory()


def _outbox(settings: Settings) -> EmailChannel:
    from flows.channels.email.outbox import Outbox

    return Outbox(settings.outbox)


def _smtp(settings: Settings) -> EmailChannel:
    from flows.channels.email.smtp import Smtp

    return Smtp(settings.smtp, settings.sending_domain)


CHANNELS: dict[str, Callable[[Settings], EmailChannel]] = {"memory": _memory, "outbox": _outbox, "smtp": _smtp}


def open_channel(settings: Settings) -> EmailChannel:
    """The channel of `settings.channel`, not entered yet: use it in a ``with``."""
    return CHANNELS[settings.channel](settings)
