"""Settings: `tandem.toml` in the working folder, overruled by TANDEM_… environment variables, as one frozen value.

Nested values use two underscores: ``TANDEM_SMTP__PASSWORD``. Secrets never show in logs or errors.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from accounts.errors import SettingsRefused
from accounts.pace import Pace
from accounts.reputation import Tolerance
from flows.providers import Mailgun, Postmark, Reps, Resend, SendGrid, Ses
from flows.setting_words import first_mistake, no_json
from flows.webhooks.secrets import Webhooks

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def _domain(value: str) -> str:
    """As it stands in mail: ASCII, small letters. A wrong one would otherwise show with each mail, one by one."""
    try:
        name = value.encode("idna").decode().lower().rstrip(".")
    except UnicodeError:
        name = ""
    if not _DOMAIN.fullmatch(name) or len(name) > 200:
        raise ValueError(f"{value!r} is no domain")
    return name


Domain = Annotated[str, AfterValidator(_domain)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _address(value: str) -> str:
    local, _, domain = value.strip().rpartition("@")
    if not re.fullmatch(r"[\w.+-]{1,64}", local, re.ASCII):
        raise ValueError(f"{value!r} is no address")
    return f"{local}@{_domain(domain)}"


EmailAddress = Annotated[str, AfterValidator(_address)]


def _web_address(value: str) -> str:
    """What links begin with: anything else would leave in every mail, and lead nowhere."""
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole or re.search(r"[\s?#]", value):
        raise ValueError(f"{value!r} is no web address; it begins with https://")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]


def _proxies(value: str) -> str:
    """One that is written wrongly is believed by nobody, and all visitors would look like one network."""
    for one in value.split(","):
        if one.strip() and value != "*":
            ip_network(one.strip())
    return value


Proxies = Annotated[str, AfterValidator(_proxies)]


class Smtp(BaseModel):
    """A mail server; `security` none is for loopback and trusted networks only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    #: Extra certificate authority (PEM file) for the server's certificate.
    ca_file: Path | None = None
    connections: int = Field(2, ge=1)
    timeout_seconds: float = Field(30, gt=0)


class Mailbox(BaseModel):
    """The mailbox that answers and bounces come to, read over IMAP. Without a host, none is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str | None = None
    port: Port = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str | None = None
    password: SecretStr | None = None
    #: Extra certificate authority (PEM file) for the server's certificate.
    ca_file: Path | None = None
    #: Instead of a password: a program that prints an OAuth 2 access token.
    token_command: str | None = None
    #: Or where such a token is asked for (client credentials), and as whom.
    token_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    scope: str | None = None
    #: Names of the folders that are read, with commas.
    folders: str = "INBOX"
    #: Where answers go to instead of the rep's own mailbox; reps then hear of them from Tandem.
    reply_to: EmailAddress | None = None
    #: How far back the first reading looks.
    first_days: int = Field(14, ge=0)
    #: An answer without a mark of ours is about a mail of so many days at most.
    window_days: int = Field(60, ge=1)
    #: Whether mails are marked as read once their signals are stored. Nothing else is ever changed.
    mark_read: bool = False
    #: Whether `tandem up` waits at the first folder; else it is read by the schedule of collect-signals.
    wait: bool = True
    timeout_seconds: float = Field(30, gt=0)

    @property
    def folder_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.folders.split(",") if name.strip())


class Dkim(BaseModel):
    """What finished messages are signed with: either key, or both. PEM text, or a file that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The d= of signatures; the sending domain if not set.
    domain: Domain | None = None
    rsa_selector: str = "tandem"
    rsa_key: SecretStr | None = None
    rsa_key_file: Path | None = None
    ed25519_selector: str = "tandem-ed25519"
    ed25519_key: SecretStr | None = None
    ed25519_key_file: Path | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is a key at all."""
        keys = (self.rsa_key, self.rsa_key_file, self.ed25519_key, self.ed25519_key_file)
        return any(key is not None for key in keys)


class Web(BaseModel):
    """The web app behind the links in our mails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Sites of ours whose pages carry the snippet: www.lumenflow.example. None: there is no snippet.
    sites: list[Domain] = []
    #: Who knows it may read /metrics from anywhere; without it, programs on this machine only.
    metrics_token: SecretStr | None = None
    #: Requests that one network (IPv4 /24, IPv6 /48) may make a second, and at once after a silence.
    requests_per_second: float = Field(20, gt=0)
    burst: int = Field(200, ge=1)
    #: Connections that one process holds; further ones are refused with 503. The files it may have are a limit as well.
    connections: int = Field(10_000, ge=1)
    #: Addresses or networks of the proxy in front, with commas: whom to believe where a request comes from.
    proxies: Proxies = "127.0.0.1"


class Scale(BaseModel):
    """Where the heavy parts of a run happen: planning and sending. See flows/spreading.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    over: Literal["here", "workers", "dask"] = "here"
    #: Into how many shares a run is divided, where it is.
    shares: int = Field(2, ge=1)
    #: A run over workers does a share itself that nobody has begun after so many minutes without anybody at work.
    wait_minutes: float = Field(10, gt=0)
    #: The scheduler of a Dask cluster, ``tcp://…:8786``. Without it, one is made on this machine for each run.
    dask_address: str | None = None


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="TANDEM_", env_nested_delimiter="__", toml_file="tandem.toml", frozen=True, extra="forbid"
    )

    #: Where Tandem keeps what it writes: database, outbox, briefs, Prefect's home.
    home: Path = Path(".tandem")
    database_url: str | None = None
    templates: Path = TEMPLATES
    channel: Literal["outbox", "memory", "smtp", "sendgrid", "postmark", "mailgun", "ses", "resend"] = "outbox"
    smtp: Smtp = Smtp()
    mailbox: Mailbox = Mailbox()
    sendgrid: SendGrid = SendGrid()
    postmark: Postmark = Postmark()
    mailgun: Mailgun = Mailgun()
    ses: Ses = Ses()
    resend: Resend = Resend()
    reps: Reps = Reps()
    dkim: Dkim = Dkim()
    web: Web = Web()
    webhooks: Webhooks = Webhooks()
    #: Where ad audiences go: CSV files to upload by hand, or nowhere but memory (rehearsals).
    ads: Literal["file", "memory"] = "file"
    #: Mail leaves from the owning rep's name at this domain; replies go to the rep's own address.
    sending_domain: Domain = "mail.example"
    #: Where bounces come back to; the sending domain if not set.
    bounce_domain: Domain | None = None
    #: Public address of the web app: unsubscribe and tracked links start with it.
    base_url: WebAddress = "http://127.0.0.1:8088"
    #: Signs links. The default is for the demo on loopback; `tandem doctor` complains about it elsewhere.
    secret_key: SecretStr = SecretStr("for-the-demo-on-loopback-only")
    prefect_api_url: str | None = None
    #: How fast mail may leave, for all workers together.
    pace: Pace = Pace()
    scale: Scale = Scale()
    #: From when on bounces and complaints stop a play, or a recipient domain.
    reputation: Tolerance = Tolerance()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def ledger_url(self) -> str:
        """The database, by default a SQLite file in `home`."""
        return self.database_url or f"sqlite:///{self.home / 'tandem.db'}"

    @property
    def return_domain(self) -> str:
        """The domain of envelope senders."""
        return self.bounce_domain or self.sending_domain

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"

    @property
    def journal(self) -> Path:
        """What sending processes note, in case they are killed: one file each, gone when they end well."""
        return self.home / "journal"

    @property
    def briefs(self) -> Path:
        return self.home / "briefs"

    @property
    def audiences(self) -> Path:
        return self.home / "audiences"


def load_settings() -> Settings:
    """The settings of this process. Raises SettingsRefused with the key and the cure, never with a value."""
    try:
        return Settings()
    except ValidationError as error:
        raise first_mistake(error, Settings) from None
    except SettingsError as error:
        raise no_json(error) from None
    except ValueError as error:
        raise SettingsRefused(str(error).splitlines()[0], where="tandem.toml", cure="mend the file") from None
