"""`tandem signal`: what a person saw or heard, a file of what others did, and what came in last."""

from dataclasses import asdict
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from accounts.feedback import REPS_WORDS
from accounts.vocabulary import BounceAction, SignalKind
from flows.cli.door import Instant, as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from flows.briefs.telling import Told
    from flows.house import House
    from flows.signals.intake import Collected

#: A rep's word is given as an answer: `tandem feedback`.
KINDS = [kind.value for kind in SignalKind if kind not in REPS_WORDS]

play = click.option("--play", default="new-business", show_default=True, help="Whose weights and pauses count.")


@click.group()
def signal() -> None:
    """What came back: add one by hand, read a file, list the latest."""


@signal.command(short_help="Add one signal by hand.")
@click.option("--email", default=None, help="Whose it is.")
@click.option("--account", default=None, help="Which account; enough when no person is known.")
@click.option("--kind", required=True, type=click.Choice(KINDS), metavar="KIND")
@click.option("--at", type=Instant(), default=None, help="When it happened; default: now.")
@click.option("--content", default=None, help="Content key it is about.")
@click.option("--url", default=None, help="Page or document.")
@click.option(
    "--until", type=Instant(), default=None, help="Back from absence (90 days at most), or when the meeting is (180)."
)
@click.option(
    "--bounce",
    type=click.Choice([action.value for action in BounceAction]),
    default=None,
    metavar="ACTION",
    help="What follows from a bounce: never_again, ask_replacement, retry_later, our_fault, mailbox_full.",
)
@click.option("--instead", default=None, help="Who follows on somebody who left: a name, an address, or both.")
@click.option("--every-days", type=click.IntRange(1, 365), default=None, help="At most one mail in so many days.")
@click.option("--topic", default=None, help="Mail about this topic only.")
@click.option("--note", default=None, help="What was said or seen.")
@click.option("--id", "name", default=None, help="Your own name for it; the same one twice is one signal.")
@play
@as_of
@as_json
def add(
    email: str | None, account: str | None, kind: str, at: datetime | None, content: str | None, url: str | None,
    until: datetime | None, bounce: str | None, instead: str | None, every_days: int | None, topic: str | None,
    note: str | None, name: str | None, play: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Add one signal by hand, checked as a row of a file is; it takes effect at once, and the rep hears of a reply, a
    booked meeting or a complaint.

    Example: tandem signal add --email dana@acme.example --kind meeting_booked --until 2026-12-03T14:00
    """
    from accounts.identity import email_hash
    from accounts.ledger.signals.whose import Incoming
    from flows.house import open_house
    from flows.signals.intake import add_by_hand

    now = clock(as_of)
    occurred_at = at or now
    said = {
        "until": until.isoformat() if until else None, "action": bounce, "replacement": _named(instead),
        "every_days": every_days, "topic": topic, "url": url, "note": note,
    }  # fmt: skip
    data = {key: value for key, value in said.items() if value is not None}
    whose = email_hash(email)[:16] if email else account  # no address in a name: it outlives an erasure
    source_id = name or f"{kind}/{whose}/{occurred_at.isoformat()}"
    incoming = Incoming("hand", source_id, kind, occurred_at, email=email, account=account, content=content, data=data)
    with open_house(play) as here:
        collected = add_by_hand(here.engine, here.play, incoming, now)
        told = _tell_reps(here, now)
    _answer(collected, told, json_)


def _named(instead: str | None) -> dict[str, str] | None:
    """``Zoe Lin <zoe@acme.example>``, or either half of it."""
    if not instead:
        return None
    name, address = parseaddr(instead)
    found = {"name": name, "email": address} if "@" in address else {"name": instead}
    return {key: value for key, value in found.items() if value}


@signal.command(name="import", short_help="Read a file of signals.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--source", default="csv", show_default=True, help="Where the list comes from; lists number their rows alike."
)
@play
@as_of
@as_json
def import_(file: Path, source: str, play: str, as_of: datetime | None, json_: bool) -> None:
    """Read a file of signals: signal,account,email,kind,occurred_at,content,url.

    Rows about people nobody knows wait in quarantine and are taken once the person is imported.

    Example: tandem signal import webinar.csv --source webinar-november
    """
    from flows.house import open_house
    from flows.signals.intake import drain, summarise, take_file

    now = clock(as_of)
    with open_house(play) as here:
        tally = take_file(here.engine, file, now, source=source)
        collected = summarise(here.engine, tally, list(drain(here.engine, here.play, now)))
        told = _tell_reps(here, now)
    _answer(collected, told, json_)


@signal.command(name="list")
@click.option("--account", default=None, help="Only this account.")
@click.option("--email", default=None, help="Only this person.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KINDS), metavar="KIND", help="Only this kind; may be repeated."
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def list_(account: str | None, email: str | None, kinds: tuple[str, ...], limit: int, json_: bool) -> None:
    """The latest signals, with what was made of them.

    Example: tandem signal list --account acme
    """
    from accounts.identity import normalise_email
    from accounts.ledger.engine import reading
    from accounts.ledger.pages.why import account_named
    from accounts.ledger.signals.recorded import read_signals

    with house() as (_, engine), reading(engine) as connection:
        if account is not None:
            account_named(connection, account)
        address = normalise_email(email) if email else None
        rows = read_signals(connection, account=account, email=address, kinds=kinds, limit=limit)
    if json_:
        show_json([dict(row._mapping) for row in rows])
        return
    for row in rows:
        who = row.email or row.account or "nobody we know"
        machine = _machine(row)
        waiting = "   (waits to be applied)" if not row.applied else ""
        click.echo(f"{row.occurred_at.astimezone():%Y-%m-%d %H:%M}  {row.kind:<18} {who}{machine}{waiting}")
    if not rows:
        click.echo("no signals")


def _machine(row: Any) -> str:
    """What speaks for a machine, also where it is not enough."""
    if row.machine_confidence is None:
        return ""
    word = "a machine" if row.is_machine else "perhaps a machine"
    return f"   ({word}, {row.machine_confidence:.0%}: {row.machine_reason})"


@signal.command(short_help="How warm an account is, and why.")
@click.argument("account")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 10_000), help="Lines to show.")
@play
@as_of
@as_json
def score(account: str, limit: int, play: str, as_of: datetime | None, json_: bool) -> None:
    """How warm an account is and what makes up its score; the lines add up to it.

    Example: tandem signal score acme
    """
    from accounts.ledger.engagement.scores import explain_account
    from accounts.ledger.engine import reading
    from flows.house import open_house

    with open_house(play) as here, reading(here.engine) as connection:
        found = explain_account(connection, account, here.play.engagement, clock(as_of))
    if json_:
        contributions = [asdict(one) | {"email": found.emails.get(one.person)} for one in found.reading.contributions]
        show_json(
            {"score": found.reading.score.value, "heat": asdict(found.reading.heat), "contributions": contributions}
        )
        return
    score = found.reading.score
    click.echo(f"{account}: {score.value:.1f} points, {score.engaged} engaged, breadth x {score.breadth:.2f}")
    click.echo(found.reading.heat.sentence)
    for one in found.reading.contributions[:limit]:
        who = found.emails.get(one.person, "nobody we know")
        day = one.occurred_at.astimezone()
        click.echo(f"{one.points:+8.2f}  {day:%Y-%m-%d}  {one.kind:<18} {who}  (signal {one.signal_id})")
    rest = found.reading.contributions[limit:]
    if rest:
        click.echo(f"{sum(one.points for one in rest):+8.2f}  {len(rest)} more signals")


@signal.command(short_help="What the weights in play.yaml would move.")
@click.option("--apply", "keep", is_flag=True, help="Keep the new scores; `tandem run signals` does it anyway.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Lines to show.")
@play
@as_of
@as_json
def rescore(keep: bool, limit: int, play: str, as_of: datetime | None, json_: bool) -> None:
    """What the weights in play.yaml, as they are now, would move: accounts by how far they go.

    Example: tandem signal rescore --play new-business
    """
    from flows.house import open_house
    from flows.signals.reweighing import rescore as make_anew
    from flows.signals.reweighing import try_weights

    now = clock(as_of)
    with open_house(play) as here:
        found = try_weights(here.engine, here.play, now, limit)
        if keep:
            make_anew(here.engine, here.play, now)
    if json_:
        show_json(asdict(found))
        return
    for one in found.most:
        places = f"place {one.place_before or '-'} -> {one.place_after or '-'}"
        click.echo(f"{one.after - one.before:+8.1f}  {one.before:7.1f} -> {one.after:7.1f}  {places:<22} {one.account}")
    kept = "kept" if keep else "nothing was kept"
    click.echo(f"{found.moved} accounts move; {found.people} people scored anew ({kept})")


def _tell_reps(here: "House", now: datetime) -> "list[Told]":
    """Whatever a rep must hear at once. The signal is safe by now: a channel that stays shut refuses nothing."""
    from accounts.errors import SettingsRefused
    from flows.briefs.telling import tell_reps

    try:
        return tell_reps(here.engine, here.settings, here.play, now)
    except SettingsRefused as error:
        click.echo(f"no rep could be told: {error}", err=True)
        return []


def _answer(collected: "Collected", told: "list[Told]", json_: bool) -> None:
    if json_:
        show_json(asdict(collected) | {"told": [asdict(one) for one in told]})
        return
    done = f"{collected.recorded} new, {collected.duplicates} known before, {collected.applied} applied"
    click.echo(f"signals: {done}, {collected.quarantined} in quarantine")
    if collected.replies:
        click.echo(f"replied, so held: {', '.join(collected.replies)}")
    for one in told:
        click.echo(_heard(one))
    for account, role in collected.vacancies:
        click.echo(f"seat empty: {role.replace('_', ' ')} at {account}")
    if collected.unknown_kinds:
        click.echo(f"kept, but nobody knows these kinds: {', '.join(collected.unknown_kinds)}")
    if collected.proposed:
        people = "1 person" if collected.proposed == 1 else f"{collected.proposed} people"
        click.echo(f"{people} nobody knew: see tandem proposals")
    if collected.quarantined:
        click.echo("see: tandem quarantine")


def _heard(one: "Told") -> str:
    from accounts.vocabulary import BriefState

    if one.state is BriefState.DELIVERED:
        return f"told: {one.rep}"
    later = "the next run tries again" if one.state is BriefState.PLANNED else "the next brief says it"
    return f"not told: {one.rep} ({one.error}); {later}"
