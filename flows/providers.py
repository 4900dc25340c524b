"""What each provider over HTTP needs to be told, of mail and of messages to reps: its key, its address, how much at
once.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Answering(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: How long the provider may take to answer before a message counts as not answered.
    timeout_seconds: float = Field(30, gt=0)


class Provider(Answering):
    """One of mail."""

    #: How many calls may be on their way at once.
    connections: int = Field(2, ge=1, le=64)


class SendGrid(Provider):
    """Twilio SendGrid, Web API v3. Subusers in the EU have an address of their own."""

    key: SecretStr | None = None
    base_url: str = "https://api.sendgrid.com"


class Postmark(Provider):
    """Postmark. Nurture mail belongs into a broadcast stream."""

    token: SecretStr | None = None
    stream: str = "broadcast"
    base_url: str = "https://api.postmarkapp.com"
    #: Messages a call; all of a call whose answer is lost are unknown.
    batch: int = Field(500, ge=1, le=500)


class Mailgun(Provider):
    """Mailgun. Domains in the EU region have an address of their own."""

    key: SecretStr | None = None
    #: The domain as Mailgun knows it; the sending domain if not set.
    domain: str | None = None
    base_url: str = "https://api.mailgun.net"


class Ses(Provider):
    """Amazon SES, API v2. Without keys, those that the machine has (environment, profile, role)."""

    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    configuration_set: str | None = None
    #: Another address than the region's: a VPC endpoint.
    endpoint_url: str | None = None


class Resend(Provider):
    """Resend."""

    key: SecretStr | None = None
    base_url: str = "https://api.resend.com"
    #: Messages a call; all of a call whose answer is lost are unknown.
    batch: int = Field(100, ge=1, le=100)


class Slack(Answering):
    """Slack, Web API. Reps are written to by their Slack id."""

    #: Of the bot, xoxb-…, with the right chat:write.
    token: SecretStr | None = None
    #: Proves that a click comes from Slack. Without it, buttons are links to the rep's pages.
    signing_secret: SecretStr | None = None
    base_url: str = "https://slack.com/api"
    #: Where the answers to clicks go.
    hooks_url: str = "https://hooks.slack.com"


class Teams(Answering):
    """Microsoft Teams, by webhooks of its Workflows. Whoever knows such an address can post there: it is a secret."""

    #: For every rep: a channel of the team.
    url: SecretStr | None = None
    #: For one rep, by their e-mail address: a chat of their own.
    urls: dict[str, SecretStr] = {}


RepChannelName = Literal["email", "slack", "teams", "crm_task"]


class Reps(BaseModel):
    """How reps are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: In this order, where a rep has no wish of their own; e-mail is the last road in any case.
    channels: list[RepChannelName] = ["email"]
    slack: Slack = Slack()
    teams: Teams = Teams()
