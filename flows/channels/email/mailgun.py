"""E-mail through Mailgun: our finished message, posted as a form; Mailgun signs it and keeps its Message-ID.

Its batch replaces variables in one text, so it is no batch for letters that differ.
Fields and limits: the API reference, "Send an email in MIME format"; answers: "API Response Codes".
"""

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import OneByOne, Outgoing, Sent
from flows.channels.email.http import KEY, HttpChannel, address_of, secret
from flows.channels.email.http_line import Line, Reply
from flows.providers import Mailgun as MailgunSettings

#: The account's sending limit of the hour or month is reached; no status of HTTP's own.
LIMIT_REACHED = 420


class Mailgun(OneByOne, HttpChannel):
    """Needs `mailgun.key`; one that may only send is enough. Raises SettingsRefused without it.

    domain: the sending domain, where `mailgun.domain` names no other.
    """

    name = "mailgun"
    letters = False

    def __init__(self, settings: MailgunSettings, domain: str) -> None:
        login = ("api", secret(settings.key, "mailgun.key"))
        line = Line(self.name, settings.base_url, settings, login=login, cure="check mailgun.key, domain and base_url")
        super().__init__(line, settings)
        self._domain = settings.domain or domain
        self._path = f"/v3/{self._domain}/messages.mime"

    def send(self, message: Outgoing) -> Sent:
        reply = self._post(_fields(message))
        if reply.status == 200 and isinstance(reply.said, dict) and reply.said.get("id"):
            return self._accepted(reply.said["id"])
        raise self._refusal(reply)

    def check(self) -> str:
        """Posts a form without recipient and message: a key that may send is told so. Raises Unreachable."""
        reply = self._post([("o:testmode", "yes")])
        if reply.status == 400:
            return f"mailgun: answers, the key may send from {self._domain}"
        refusal = self._refusal(reply)
        raise refusal if isinstance(refusal, Unreachable) else Unreachable(refusal.what, cure="try again later")

    def _post(self, fields: "list[tuple[str, str | tuple[str, bytes, str]]]") -> Reply:
        from urllib3.filepost import encode_multipart_formdata

        content, kind = encode_multipart_formdata(fields)
        return self._line.post(self._path, content, {"Content-Type": kind})

    def _refusal(self, reply: Reply) -> NotSent | OutcomeUnknown:
        if 200 <= reply.status < 300:
            return self._garbled(reply)
        words = str(reply.said.get("message") or "") if isinstance(reply.said, dict) else reply.text
        if reply.status == LIMIT_REACHED:
            return NotSent(f"{self._line.say(420, words)}, for now", permanent=False, reason=Refusal.TOO_MANY)
        if reply.status == 400 and "not allowed to send" in words.lower():
            cure = "see the domain's page at Mailgun"
            return Unreachable(self._line.say(400, words), cure=cure, reason=Refusal.SENDER_REFUSED)
        return self._line.refusal(reply, words)


def _fields(message: Outgoing) -> "list[tuple[str, str | tuple[str, bytes, str]]]":
    """Variables come back with every event about the message; they hold our name for it and no personal data."""
    fields: list[tuple[str, str | tuple[str, bytes, str]]] = [
        ("to", address_of(message)),
        ("o:tracking", "no"),
        ("o:tracking-clicks", "no"),
        ("o:tracking-opens", "no"),
        ("message", ("message.mime", message.content, "message/rfc822")),
    ]
    return [(f"v:{KEY}", message.key), *fields] if message.key else fields
