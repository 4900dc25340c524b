"""What the figures of the ledger mean: each sign is one line, and says what a person has to do where one is needed.

`fail` needs a person. `warn` is worth knowing: it passes, or somebody meant it to be so.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

State = Literal["ok", "warn", "fail"]

HOUR = timedelta(hours=1)
#: Nobody need worry before: flows come round every ten minutes to an hour.
WEBHOOKS_WAIT, SIGNALS_WAIT, MAILBOX_RESTS = HOUR, HOUR, HOUR
#: After so long, reading the mailbox has failed many times in a row.
MAILBOX_SILENT = 6 * HOUR
#: A due touch leaves with the next run, unless the pace or a brake keeps it.
QUEUE_WAITS, QUEUE_STUCK = 2 * HOUR, 24 * HOUR
#: Events of a provider may still tell what became of a touch; after that a person has to.
PROVIDERS_TELL = timedelta(days=1)
#: From so many mails on, a week without a single signal is suspicious.
ENOUGH_MAILS = 50

#: How far back signals, sent and expired touches are looked at.
LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and since when the first does."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """All of it, at one moment."""

    #: Latest sight of an account, by the CRM it comes from.
    crm: Mapping[str, datetime] = field(default_factory=dict)
    #: Latest signal of the last days, by source.
    signals: Mapping[str, datetime] = field(default_factory=dict)
    #: When a folder of the reply mailbox was last read.
    mailbox: datetime | None = None
    #: What providers posted and nobody read yet; signals whose effects were not applied yet.
    webhooks: Waiting = Waiting()
    unapplied: Waiting = Waiting()
    #: Touches that are certified and due; that are on their way; of which nobody knows whether they arrived.
    queue: Waiting = Waiting()
    sending: Waiting = Waiting()
    unknown: Waiting = Waiting()
    #: Plans that wait for a marketer.
    held: Waiting = Waiting()
    held_plans: tuple[int, ...] = ()
    #: People whose step came too late to be sent unasked.
    late: int = 0
    #: Touches of the last days that nobody could send in time, and those that were sent.
    expired: int = 0
    sent: int = 0
    #: Rows that could not be taken; among them what the CRM says, by its number, of contacts who are not known here.
    quarantined: int = 0
    nameless: Waiting = Waiting()
    #: Kill switches that are pulled.
    brakes: Waiting = Waiting()
    #: Octets on disk.
    size: int = 0


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at."""

    name: str
    state: State
    says: str
    cure: str | None = None
    #: The same for programs.
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings and the plays say about what is normal here."""

    #: Accounts that were seen longer ago get nothing; None: the play does not mind.
    stale_crm_after: timedelta | None = None
    reads_mailbox: bool = False


def signs_of(vitals: Vitals, limits: Limits, now: datetime) -> list[Sign]:
    """Every sign of the ledger, in the order in which things come in and go out."""
    return [look(vitals, limits, now) for look in LOOKS]


def worst(signs: Iterable[Sign]) -> State:
    order: tuple[State, ...] = ("ok", "warn", "fail")
    return max((sign.state for sign in signs), key=order.index, default="ok")


def ago(span: timedelta) -> str:
    """``3 min``, ``5 h``, ``2 days``: one figure is enough."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _crm(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    lags = {name: now - at for name, at in sorted(vitals.crm.items())}
    if not lags:
        return Sign("CRM", "ok", "no account yet", figures={"lag_seconds": {}})
    says = ", ".join(f"{name} seen {ago(lag)} ago" for name, lag in lags.items())
    figures = {"lag_seconds": {name: lag.total_seconds() for name, lag in lags.items()}}
    stale = [name for name, lag in lags.items() if limits.stale_crm_after and lag > limits.stale_crm_after]
    if stale:
        state: State = "fail" if len(stale) == len(lags) else "warn"
        return Sign("CRM", state, f"{says}: facts so old send nothing", "import again: tandem import", figures)
    return Sign("CRM", "ok", says, figures=figures)


def _signals(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    lags = {name: now - at for name, at in sorted(vitals.signals.items())}
    figures = {"lag_seconds": {name: lag.total_seconds() for name, lag in lags.items()}}
    if not lags:
        says = f"none in {LATELY.days} days, {vitals.sent} mails sent"
        if vitals.sent >= ENOUGH_MAILS:
            return Sign(
                "signals", "fail", says, "see that webhooks, mailbox and links reach us: tandem doctor", figures
            )
        return Sign("signals", "ok", says, figures=figures)
    return Sign("signals", "ok", ", ".join(f"{name} {ago(lag)} ago" for name, lag in lags.items()), figures=figures)


def _unapplied(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    return _queue_of("signals waiting", vitals.unapplied, now, SIGNALS_WAIT, "tandem run signals")


def _webhooks(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    return _queue_of("webhooks", vitals.webhooks, now, WEBHOOKS_WAIT, "tandem run signals")


def _mailbox(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    if not limits.reads_mailbox:
        return Sign("mailbox", "ok", "none is read")
    if vitals.mailbox is None:
        return Sign("mailbox", "warn", "never read yet", "tandem run signals")
    lag = now - vitals.mailbox
    figures = {"lag_seconds": lag.total_seconds()}
    if lag > MAILBOX_SILENT:
        return Sign("mailbox", "fail", f"last read {ago(lag)} ago", "tandem doctor says what stops it", figures)
    return Sign("mailbox", "warn" if lag > MAILBOX_RESTS else "ok", f"last read {ago(lag)} ago", None, figures)


def _queue(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    queue, braked = vitals.queue, vitals.brakes.count > 0
    if not queue.count or queue.since is None:
        return Sign("queue", "ok", "nothing is due that has not left", figures={"count": 0})
    age = now - queue.since
    says, figures = f"{queue.count} due, the first for {ago(age)}", _figures(queue, now)
    if age > QUEUE_STUCK and not braked:
        return Sign(
            "queue", "fail", says, "see the latest run of nurture-accounts, and the pace in tandem.toml", figures
        )
    return Sign("queue", "warn" if age > QUEUE_WAITS else "ok", says, None, figures)


def _sending(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    return _queue_of("on their way", vitals.sending, now, 2 * HOUR, "tandem run nurture takes them up")


def _unknown(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    unknown = vitals.unknown
    if not unknown.count or unknown.since is None:
        return Sign("unknown", "ok", "none", figures={"count": 0})
    says = f"{unknown.count} may or may not have arrived"
    if now - unknown.since > PROVIDERS_TELL:
        return Sign("unknown", "fail", says, "look them up at the provider; tandem settle", _figures(unknown, now))
    return Sign("unknown", "warn", f"{says}; events of the provider may tell", None, _figures(unknown, now))


def _held(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    if not vitals.held.count or vitals.held.since is None:
        return Sign("held", "ok", "no plan", figures={"count": 0})
    plans = ", ".join(map(str, vitals.held_plans[:5]))
    says = f"plan {plans}, the first for {ago(now - vitals.held.since)}"
    figures = {**_figures(vitals.held, now), "plans": list(vitals.held_plans)}
    return Sign("held", "fail", says, f"tandem plan {vitals.held_plans[0]}, then tandem approve", figures)


def _late(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    if not vitals.late:
        return Sign("late", "ok", "no step", figures={"count": 0})
    says = f"a step came too late for {vitals.late} {'person' if vitals.late == 1 else 'people'}"
    return Sign("late", "fail", says, "tandem late: send or skip", {"count": vitals.late})


def _expired(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    says = f"{vitals.expired} in {LATELY.days} days"
    cure = "tandem touches --state expired" if vitals.expired else None
    return Sign("expired", "warn" if vitals.expired else "ok", says, cure, {"count": vitals.expired})


def _quarantine(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    if not vitals.quarantined:
        return Sign("quarantine", "ok", "empty", figures={"count": 0})
    return Sign("quarantine", "warn", f"{vitals.quarantined} rows", "tandem quarantine", {"count": vitals.quarantined})


def _nameless(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    nameless = vitals.nameless
    if not nameless.count or nameless.since is None:
        return Sign("noes", "ok", "each has a name", figures={"count": 0})
    says = f"{nameless.count} from the CRM, by a number nobody here has, the first for {ago(now - nameless.since)}"
    cure = "tandem quarantine show: look the number up there; tandem signal add, or tandem forget"
    return Sign("noes", "fail", says, cure, _figures(nameless, now))


def _brakes(vitals: Vitals, limits: Limits, now: datetime) -> Sign:
    if not vitals.brakes.count or vitals.brakes.since is None:
        return Sign("brakes", "ok", "none is pulled", figures={"count": 0})
    says = f"{vitals.brakes.count} pulled, the first {ago(now - vitals.brakes.since)} ago"
    return Sign("brakes", "warn", says, "tandem stop --list", _figures(vitals.brakes, now))


def _queue_of(name: str, waiting: Waiting, now: datetime, patience: timedelta, cure: str) -> Sign:
    if not waiting.count or waiting.since is None:
        return Sign(name, "ok", "none", figures={"count": 0})
    says = f"{waiting.count}, the first for {ago(now - waiting.since)}"
    stuck = now - waiting.since > patience
    return Sign(name, "fail" if stuck else "ok", says, cure if stuck else None, _figures(waiting, now))


def _figures(waiting: Waiting, now: datetime) -> dict[str, Any]:
    age = (now - waiting.since).total_seconds() if waiting.since else None
    return {"count": waiting.count, "oldest_seconds": age}


LOOKS: tuple[Callable[[Vitals, Limits, datetime], Sign], ...] = (
    _crm, _signals, _unapplied, _webhooks, _mailbox, _queue, _sending, _unknown, _held, _late, _expired, _quarantine,
    _nameless, _brakes,
)  # fmt: skip
