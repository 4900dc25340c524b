"""Which providers may post, and how their posts are understood."""

from collections.abc import Mapping

from pydantic import SecretStr

from flows.webhooks import Door, Reader, hubspot, mailgun, postmark, resend, sendgrid, ses, sns
from flows.webhooks.secrets import Webhooks

READERS: Mapping[str, Reader] = {
    "sendgrid": sendgrid.READER,
    "mailgun": mailgun.READER,
    "postmark": postmark.READER,
    "ses": ses.READER,
    "resend": resend.READER,
    "hubspot": hubspot.READER,
}


def doors_of(settings: Webhooks) -> dict[str, Door]:
    """By the provider's name; one without its secret has none. Raises SettingsRefused for a secret that is none."""
    login, token = _opened(settings.postmark_login), _opened(settings.postmark_token)
    doors: dict[str, Door] = {}
    if settings.sendgrid_key:
        doors["sendgrid"] = sendgrid.Door(settings.sendgrid_key)
    if key := _opened(settings.mailgun_key):
        doors["mailgun"] = mailgun.Door(key)
    if login or token:
        doors["postmark"] = postmark.Door(login, token)
    if settings.ses_topics:
        doors["ses"] = sns.Door(settings.ses_topics)
    if secret := _opened(settings.resend_secret):
        doors["resend"] = resend.Door(secret)
    if secret := _opened(settings.hubspot_secret):
        doors["hubspot"] = hubspot.Door(secret)
    return doors


def _opened(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() or None if secret else None
