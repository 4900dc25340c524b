"""What reps say: `hold`, `release`, `stop`, `feedback`, `veto`. Each takes effect at once and is written down."""

import getpass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from accounts.vocabulary import BrakeScope, HoldCause, PauseClock, Verdict
from flows.cli.door import Instant, as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from flows.sales.answers import Answered

who = click.argument("who", metavar="ACCOUNT|EMAIL")
by = click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
note = click.option("--note", default=None, help="Why, in your words.")
account = click.option("--account", default=None, help="Which account, for a person who stands in several.")


#: What happens to the steps, as the answer says it.
_MEANWHILE = {
    None: "",
    "hold": "; the plan moves by as long",
    "keep": "; steps keep their dates",
    "skip": "; steps whose time comes meanwhile are left out",
}


@click.command()
@who
@click.option("--until", type=Instant(), default=None, help="Day or time it ends; without it, until you release it.")
@click.option("--cause", type=click.Choice(["rep", "sla", "legal"]), default="rep", help="Default: rep.")
@click.option(
    "--clock",
    "pause",
    type=click.Choice([clock.value for clock in PauseClock]),
    default=None,
    help="Steps whose time comes meanwhile move on by the length of the hold, keep their dates, or are left out. "
    "Default: what the play says.",
)
@account
@note
@by
@as_of
@as_json
def hold(
    who: str, until: datetime | None, cause: str, pause: str | None, account: str | None, note: str | None, by: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Stop nurturing an account or a person: no mail and no ads until it ends.

    Running plans are affected from the next message on. The latest word counts. Nobody gets more at once for having
    waited: caps and windows hold, and what has become late waits for a decision (tandem late).

    Example: tandem hold acme --until 2026-12-01 --note "board meeting first"
    """
    from flows.sales.answers import hold as place

    with house() as (_, engine):
        answered = place(
            engine, who, by=by, now=clock(as_of), until=until, note=note, account=account, cause=HoldCause(cause),
            clock=PauseClock(pause) if pause else None,
        )  # fmt: skip
    end = f"until {until.astimezone():%Y-%m-%d %H:%M}" if until else "until released"
    _answer(answered, json_, f"{who} is held {end}{_MEANWHILE[pause]}", until=until, clock=pause)


@click.command()
@who
@click.option(
    "--cause",
    "causes",
    type=click.Choice([cause.value for cause in HoldCause]),
    multiple=True,
    help="Only these; default: all but legal.",
)
@account
@by
@as_of
@as_json
def release(
    who: str, causes: tuple[str, ...], account: str | None, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """End the holds on an account, or on a person.

    Releasing an account does not release people who are held by themselves.

    Example: tandem release acme
    """
    from accounts.ledger.holds import RELEASABLE
    from flows.sales.answers import release as let_go

    with house() as (_, engine):
        wanted = [HoldCause(cause) for cause in causes] or RELEASABLE
        answered = let_go(engine, who, by=by, now=clock(as_of), account=account, causes=wanted)
    count = len(answered.rows)
    _answer(answered, json_, f"{who}: {count} hold{'s' * (count != 1)} released" if count else f"{who} was not held")


@click.command()
@click.option("--play", default=None, help="Only this play.")
@click.option("--account", default=None, help="Only this account.")
@click.option("--rep", default=None, help="Only this rep's accounts (address).")
@click.option("--domain", default=None, help="Only mail to this recipient domain.")
@click.option("--release", "released", is_flag=True, help="Let it go on.")
@click.option("--list", "listed", is_flag=True, help="Stop nothing; say what is stopped, by whom and why.")
@note
@by
@as_of
@as_json
def stop(
    play: str | None, account: str | None, rep: str | None, domain: str | None, released: bool, listed: bool,
    note: str | None, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Kill switch: everything, or one play, account, rep or recipient domain. While it is on nothing of it leaves, and
    what is on its way ends within seconds.

    Planned messages stay planned; they go on, or expire, when it is released. Tandem pulls it by itself when too many
    messages of a play, or to a domain, bounce or are called spam.

    Example: tandem stop --play new-business --note "wrong price in the second mail"
    """
    from flows.sales.answers import stop as pull

    named = {
        BrakeScope.PLAY: play, BrakeScope.ACCOUNT: account, BrakeScope.REP: rep, BrakeScope.DOMAIN: domain
    }  # fmt: skip
    given = [(scope, target) for scope, target in named.items() if target]
    if len(given) > 1:
        raise click.UsageError(
            "name one of --play, --account, --rep and --domain, or none of them for everything"
        )  # fmt: skip
    if listed:
        _list_brakes(json_)
        return
    scope, target = given[0] if given else (BrakeScope.GLOBAL, "")
    with house() as (_, engine):
        count = pull(engine, scope, target or "", by=by, now=clock(as_of), note=note or "", released=released)
    what = f"{scope} {target}" if target else "everything"
    if json_:
        show_json({"scope": scope, "target": target, "stopped": not released, "changed": count})
    elif released:
        click.echo(f"{what} goes on" if count else f"{what} was not stopped")
    else:
        click.echo(f"{what} is stopped; go on with: tandem stop {f'--{scope} {target} ' if target else ''}--release")


def _list_brakes(json_: bool) -> None:
    from accounts.ledger.brakes import pulled
    from accounts.ledger.engine import reading

    with house() as (_, engine), reading(engine) as connection:
        standing = pulled(connection)
    if json_:
        show_json([brake._asdict() for brake in standing])
        return
    for brake in standing:
        why = f": {brake.note}" if brake.note else ""
        click.echo(f"{brake.what} is stopped since {brake.at.astimezone():%Y-%m-%d %H:%M} by {brake.by}{why}")
    if not standing:
        click.echo("nothing is stopped")


@click.command()
@who
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
@click.option("--topic", default=None, help="What it was about: price, timing, security …")
@click.option("--callback-on", type=click.DateTime(["%Y-%m-%d"]), default=None, help="When to try again: 2027-01-15.")
@account
@note
@by
@as_of
@as_json
def feedback(
    who: str, verdict: str, topic: str | None, callback_on: datetime | None, account: str | None, note: str | None,
    by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """A rep's word: ripe, not_yet, wrong_person, bad_timing.

    bad_timing holds until --callback-on (or 30 days); wrong_person ends all mail to that person; ripe and not_yet are
    recorded and change no plan.

    Example: tandem feedback dana@acme.example wrong_person --note "moved to another plant"
    """
    from flows.sales.answers import feedback as give

    day: date | None = callback_on.date() if callback_on else None
    with house() as (_, engine):
        answered = give(
            engine, who, Verdict(verdict), by=by, now=clock(as_of), topic=topic, note=note, callback_on=day,
            account=account,
        )  # fmt: skip
    _answer(answered, json_, f"{who}: {verdict.replace('_', ' ')}, thank you", verdict=verdict)


@click.command()
@who
@click.argument("content", required=False)
@click.option("--withdraw", is_flag=True, help="Take this veto back.")
@note
@by
@as_of
@as_json
def veto(
    who: str, content: str | None, withdraw: bool, note: str | None, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """Say no to one content for a person, or to all mail for them.

    Example: tandem veto bob@acme.example new-business/evaluation/five-slides
    """
    from flows.sales.answers import veto as say_no

    with house() as (_, engine):
        answered = say_no(engine, who, content, by=by, now=clock(as_of), note=note, withdrawn=withdraw)
    what = content or "all mail"
    if withdraw:
        said = f"{what} may reach {who} again" if answered.rows else f"there was no such veto for {who}"
    else:
        said = f"{what} will not reach {who}"
    _answer(answered, json_, said, content=content)


def _answer(answered: "Answered", json_: bool, sentence: str, **more: Any) -> None:
    if json_:
        subjects = [{"account": subject.account, "email": subject.email} for subject in answered.subjects]
        show_json({"said": sentence, "subjects": subjects, "rows": list(answered.rows), **more})
    else:
        click.echo(sentence)
