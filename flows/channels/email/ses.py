"""E-mail through Amazon SES, API v2: our finished message as `Raw` content. Needs the extra `ses` (boto3).

SES writes a Message-ID of its own; its name for the message is what `Sent` carries and what its events bring back,
beside our key as a tag. Codes: the API reference, `SendEmail`, and "Managing your sending quotas: errors".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import OneByOne, Outgoing, Sent
from flows.channels.email.http import KEY, address_of, one_word, secret
from flows.channels.email.http_line import CONNECT, refusal_by_status
from flows.masking import mask_within
from flows.providers import Ses as SesSettings

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

KEYS_ARE_WRONG = "check ses.access_key_id, ses.secret_access_key and what they may do"
#: Codes that speak of our account, and how to mend it: every other message would fare the same.
STOP = {
    "AccessDeniedException": KEYS_ARE_WRONG,
    "ExpiredTokenException": KEYS_ARE_WRONG,
    "InvalidClientTokenId": KEYS_ARE_WRONG,
    "InvalidSignatureException": KEYS_ARE_WRONG,
    "MissingAuthenticationTokenException": KEYS_ARE_WRONG,
    "SignatureDoesNotMatch": KEYS_ARE_WRONG,
    "UnrecognizedClientException": KEYS_ARE_WRONG,
    "AccountSuspendedException": "Amazon lets this account send nothing",
    "SendingPausedException": "sending is paused at Amazon: see the account's reputation",
    "MailFromDomainNotVerifiedException": "verify the sending domain at Amazon",
    "LimitExceededException": "a limit of the account is reached: see its quotas",
    "NotFoundException": "check ses.configuration_set",
}
TOO_MANY = ("TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded")
#: Words of codes that otherwise are about one message, or about one moment.
STOP_WORDS = {
    "daily message quota exceeded": "the day's quota at Amazon is used up",
    "not verified": STOP["MailFromDomainNotVerifiedException"],
}


class Ses(OneByOne):
    """Needs `ses.region`; without keys of its own it uses the machine's. Raises SettingsRefused."""

    name = "ses"

    def __init__(self, settings: SesSettings) -> None:
        self.lanes = settings.connections
        self._settings = settings
        if not settings.region:
            raise SettingsRefused(
                "is needed for this channel and not set", where="ses.region", cure="set TANDEM_SES__REGION"
            )
        if bool(settings.access_key_id) != bool(settings.secret_access_key):
            raise SettingsRefused("half a key: one of the two is missing", where="ses", cure=KEYS_ARE_WRONG)
        self._client = _client(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections; the client opens new ones when it is used again."""
        self._client.close()

    def send(self, message: Outgoing) -> Sent:
        request = self._request(message)
        with _explained():
            answer = self._client.send_email(**request)
        if not answer.get("MessageId"):
            raise OutcomeUnknown("ses said yes in words not its own; it may have taken the message")
        return Sent(self.name, answer["MessageId"])

    def check(self) -> str:
        """Asks for the account. Raises Unreachable."""
        try:
            with _explained():
                account = self._client.get_account()
        except OutcomeUnknown as error:
            raise Unreachable(error.what, cure="check the network") from None
        if not account.get("SendingEnabled"):
            raise Unreachable("ses: sending is paused", cure=STOP["SendingPausedException"])
        sandbox = "" if account.get("ProductionAccessEnabled") else ", in the sandbox: verified recipients only"
        return f"ses: {self._settings.region} answers{sandbox}"

    def _request(self, message: Outgoing) -> dict[str, Any]:
        request: dict[str, Any] = {
            "Destination": {"ToAddresses": [address_of(message)]},
            "Content": {"Raw": {"Data": message.content}},
        }
        if message.key:
            request["EmailTags"] = [{"Name": KEY, "Value": message.key}]
        if self._settings.configuration_set:
            request["ConfigurationSetName"] = self._settings.configuration_set
        return request


@contextmanager
def _explained() -> Iterator[None]:
    """What boto3 raises, as what it means for the message."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refusal(error) from None
    except BotoCoreError as error:
        raise _broken(error) from None
    except Exception as error:  # what botocore stumbles over when an answer is JSON, and no object
        said = f"ses answered in words not its own ({type(error).__name__}); it may have taken the message"
        raise OutcomeUnknown(said) from None


def _refusal(error: "ClientError") -> NotSent | OutcomeUnknown:
    """By the code where it says more than the status."""
    fault, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, words = str(fault.get("Code") or ""), " ".join(mask_within(str(fault.get("Message") or "")).split())[:240]
    headers = {name.title(): value for name, value in (about.get("HTTPHeaders") or {}).items()}
    said = f"ses said {code}: {words}"
    cure = STOP.get(code) or next((cure for told, cure in STOP_WORDS.items() if told in words.lower()), None)
    if cure is not None:
        reason = Refusal.LOGIN_REFUSED if cure is KEYS_ARE_WRONG else Refusal.SENDER_REFUSED
        return Unreachable(said, cure=cure, reason=reason)
    status = 429 if code in TOO_MANY else int(about.get("HTTPStatusCode") or 0)
    return refusal_by_status(status, said, headers, f"{KEYS_ARE_WRONG}; check ses.region, ses.endpoint_url")


def _broken(error: "BotoCoreError") -> NotSent | OutcomeUnknown:
    """By what broke; what is not known to happen before the request left is unknown."""
    from botocore import exceptions as known

    if isinstance(error, (known.NoCredentialsError, known.PartialCredentialsError, known.CredentialRetrievalError)):
        return Unreachable("ses: no keys to sign with", cure=KEYS_ARE_WRONG, reason=Refusal.LOGIN_REFUSED)
    if isinstance(error, known.ParamValidationError):
        return NotSent("ses cannot be asked to send this message", permanent=True, reason=Refusal.NOT_COMPOSED)
    before = (known.EndpointConnectionError, known.ConnectTimeoutError, known.ProxyConnectionError)
    untrusted = isinstance(error, known.SSLError) and "certificate" in str(error).lower()
    if isinstance(error, before) or untrusted:
        said = "no trusted connection to ses" if untrusted else "ses does not answer"
        return Unreachable(said, cure="check ses.region, ses.endpoint_url, the network and its proxy")
    what = "did not answer in time" if isinstance(error, known.ReadTimeoutError) else "hung up"
    return OutcomeUnknown(f"ses {what} after it had the message; it may have taken it")


def _client(settings: SesSettings) -> Any:
    """One client for all threads. boto3 retries nothing: whether to try again is decided by us, once."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        cure = "pip install 'tandem-abm[ses]'"
        raise SettingsRefused("the channel ses needs boto3", where="channel", cure=cure) from None
    config = Config(
        region_name=settings.region,
        connect_timeout=min(CONNECT, settings.timeout_seconds),
        read_timeout=settings.timeout_seconds,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=settings.connections,
    )
    key_id, key, token = settings.access_key_id, settings.secret_access_key, settings.session_token
    try:
        session = boto3.session.Session(
            aws_access_key_id=one_word(key_id, "ses.access_key_id") if key_id else None,
            aws_secret_access_key=secret(key, "ses.secret_access_key") if key else None,
            aws_session_token=secret(token, "ses.session_token") if token else None,
        )
        return session.client("sesv2", config=config, endpoint_url=settings.endpoint_url)
    except (BotoCoreError, ValueError) as error:
        said = f"no client can be made: {type(error).__name__}"
        raise SettingsRefused(said, where="ses", cure="check ses.region and ses.endpoint_url") from None
