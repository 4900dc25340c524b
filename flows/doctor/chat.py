"""The ways to reps besides e-mail: whether what is set can work. Nobody is asked unless somebody wants to know."""

import re

from accounts.errors import SettingsRefused, TandemError
from flows.doctor.finding import Finding, Patient, refused
from flows.operating.prefect_api import is_loopback
from flows.providers import Slack, Teams
from flows.settings import Settings

#: As Slack writes them: of a bot, and of "Signing secret" on the app's page.
BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{10,}")
SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")


def chat(patient: Patient) -> Finding | None:
    """Slack and Teams: whether their keys look like keys; with --ask, whether Slack knows ours."""
    settings = patient.settings
    named = [name for name in settings.reps.channels if name in ("slack", "teams")]
    slack, teams = settings.reps.slack, settings.reps.teams
    if not (named or slack.token or slack.signing_secret or teams.url or teams.urls):
        return None
    wrong = _missing(settings) or _slack(slack, settings.base_url) or _teams(teams)
    if wrong:
        return wrong
    if patient.asks and slack.token:
        return _ask(slack)
    return Finding("chat", "ok", f"reps are told by {', '.join(dict.fromkeys([*settings.reps.channels, 'email']))}")


def _missing(settings: Settings) -> Finding | None:
    reps = settings.reps
    if "slack" in reps.channels and reps.slack.token is None:
        return Finding(
            "chat", "fail", "briefs shall go to Slack, and there is no token", "set TANDEM_REPS__SLACK__TOKEN"
        )
    if "teams" in reps.channels and not (reps.teams.url or reps.teams.urls):
        return Finding(
            "chat", "fail", "briefs shall go to Teams, and no workflow is known", "set TANDEM_REPS__TEAMS__URL"
        )
    return None


def _slack(slack: Slack, base_url: str) -> Finding | None:
    if slack.token and not BOT_TOKEN.fullmatch(slack.token.get_secret_value().strip()):
        says = "reps.slack.token is not the token of a bot"
        return Finding("chat", "fail", says, "copy it from the app's page OAuth & Permissions: xoxb-…")
    if slack.signing_secret is None:
        return None
    if not SIGNING_SECRET.fullmatch(slack.signing_secret.get_secret_value().strip()):
        says = "reps.slack.signing_secret does not look like one"
        return Finding("chat", "warn", says, "copy it from the app's page Basic Information")
    if is_loopback(base_url):
        says = f"clicks in Slack would come to {base_url}, which it cannot reach"
        return Finding("chat", "warn", says, "set base_url to the public address of tandem serve")
    return None


def _teams(teams: Teams) -> Finding | None:
    from flows.channels.reps.teams import origin_of

    for url in (teams.url, *teams.urls.values()):
        try:
            if url:
                origin_of(url)
        except SettingsRefused as error:
            return refused("chat", error)
    return None


def _ask(slack: Slack) -> Finding:
    from flows.channels.reps.slack import Slack as Channel

    channel = Channel(slack)
    try:
        return Finding("chat", "ok", channel.check())
    except TandemError as error:
        return refused("chat", error)
    finally:
        channel.close()
