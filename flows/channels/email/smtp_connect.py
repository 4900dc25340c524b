"""The way into a mail server: connected, encrypted with a certificate that is checked, logged in; or why not."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.errors import Unreachable
from flows.channels.email.replies import Meaning, Moment, meaning_of, read_reply
from flows.settings import Smtp as SmtpSettings


def connect(settings: SmtpSettings, domain: str, trust: ssl.SSLContext | None) -> smtplib.SMTP:
    """Connected, encrypted as `settings.security` says, logged in. Raises Unreachable."""
    where, place = f"{settings.host}:{settings.port}", (settings.host, settings.port)
    with _explained(where):
        client: smtplib.SMTP
        if settings.security == "tls":
            client = smtplib.SMTP_SSL(*place, domain, context=trust, timeout=settings.timeout_seconds)
        else:
            client = smtplib.SMTP(*place, domain, timeout=settings.timeout_seconds)
    try:
        with _explained(where):
            client.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                client.starttls(context=trust)
                client.ehlo_or_helo_if_needed()
            if settings.username is not None:
                client.login(settings.username, settings.password.get_secret_value() if settings.password else "")
    except BaseException:
        client.close()
        raise
    return client


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Whatever goes wrong on the way in, in one line with its cure, and without a word of the login."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        reason = _said_on_the_way_in(Moment.AUTH, error).reason
        raise Unreachable(
            f"the mail server refused the login ({error.smtp_code})",
            where=where, cure="check smtp.username, password", reason=reason,
        ) from None  # fmt: skip
    except smtplib.SMTPNotSupportedError:
        raise Unreachable(
            "the mail server offers no STARTTLS or no login we know", where=where, cure="check smtp.security and port"
        ) from None
    except ssl.SSLCertVerificationError as error:
        said = f"the mail server's certificate is not trusted: {error.verify_message}"
        raise Unreachable(said, where=where, cure="check smtp.host, or name its authority in smtp.ca_file") from None
    except smtplib.SMTPResponseException as error:
        reason = _said_on_the_way_in(Moment.CONNECT, error).reason
        raise Unreachable(f"the mail server lets nobody in ({error.smtp_code})", where=where, reason=reason) from None
    except (OSError, smtplib.SMTPException) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise Unreachable(f"the mail server does not answer: {said}", where=where, cure="check smtp.host") from None


def _said_on_the_way_in(moment: Moment, error: smtplib.SMTPResponseException) -> Meaning:
    said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
    return meaning_of(moment, read_reply(error.smtp_code, said.decode("utf-8", "replace").split("\n")))
