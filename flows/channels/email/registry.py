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


def _sendgrid(settings: Settings) -> EmailChannel:
    from flows.channels.email.sendgrid import SendGrid

    return SendGrid(settings.sendgrid)


def _postmark(settings: Settings) -> EmailChannel:
    from flows.channels.email.postmark import Postmark

    return Postmark(settings.postmark)


def _mailgun(settings: Settings) -> EmailChannel:
    from flows.channels.email.mailgun import Mailgun

    return Mailgun(settings.mailgun, settings.sending_domain)


def _ses(settings: Settings) -> EmailChannel:
    from flows.channels.email.ses import Ses

    return Ses(settings.ses)


def _resend(settings: Settings) -> EmailChannel:
    from flows.channels.email.resend import Resend

    return Resend(settings.resend)


CHANNELS: dict[str, Callable[[Settings], EmailChannel]] = {
    "memory": _memory,
    "outbox": _outbox,
    "smtp": _smtp,
    "sendgrid": _sendgrid,
    "postmark": _postmark,
    "mailgun": _mailgun,
    "ses": _ses,
    "resend": _resend,
}
#: Those that write nobody: everything happens but the post.
STAY_HERE = frozenset({"memory", "outbox"})


def open_channel(settings: Settings) -> EmailChannel:
    """The channel of `settings.channel`, not entered yet: use it in a ``with``.

    Raises SettingsRefused naming the setting that the channel cannot do without.
    """
    return CHANNELS[settings.channel](settings)
