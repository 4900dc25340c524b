"""What each provider's webhook is known by. A provider without its secret has no address here."""

from pydantic import BaseModel, ConfigDict, SecretStr


class Webhooks(BaseModel):
    """Of `[webhooks]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: SendGrid: the public verification key of the signed event webhook, as its page shows it.
    sendgrid_key: str | None = None
    #: Mailgun: the HTTP webhook signing key.
    mailgun_key: SecretStr | None = None
    #: Postmark signs nothing: user:password for basic auth, or the value of a header X-Tandem-Token; at least one.
    postmark_login: SecretStr | None = None
    postmark_token: SecretStr | None = None
    #: Amazon: the topics that may speak to us. Everybody can have a topic, so the signature alone proves too little.
    ses_topics: list[str] = []
    #: Resend: the signing secret, whsec_…
    resend_secret: SecretStr | None = None
    #: HubSpot: the client secret of the app.
    hubspot_secret: SecretStr | None = None
