"""What reps say about mail: `hold`, `release`, `stop`, `feedback`, `veto`. Each takes effect at once and is kept.

The other answers of a rep stand in flows/cli/answers.py.
"""

import getpass
from datetime import date, datetime

import click

from accounts.vocabulary import BrakeScope, HoldCause, PauseClock, Verdict
from flows.cli.door import Instant, as_json, as_of, clock, house, show_answer, show_json

who = click.argument("who", metavar="ACCOUNT|EMAIL")
by = click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
note = click.option("--note", default=None, help="Why, in your words.")
account = click.option("--account", default=None, help="Which account, for a person who stands in several.")
play_key = click.option("--play", default="new-business", show_default=True, help="Whose rules count.")
override = click.option("--override", default=None, metavar="WHY", help="Why you say it for the rep, under your name.")


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
@override
@play_key
@note
@by
@as_of
@as_json
def hold(
    who: str, until: datetime | None, cause: str, pause: str | None, account: str | None, override: str | None,
    play: str, note: str | None, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Stop nurturing an account or a person: no mail and no ads until it ends.

    Planned messages are taken back. The latest word counts, but a rep's longer hold stands beside another's unless they
    say why it must not. Nobody gets more at once for having waited: caps and windows hold, and what has become late
    waits for a decision (tandem late).

    Example: tandem hold acme --until 2026-12-01 --note "board meeting first"
    """
    from flows.house import open_house
    from flows.sales.answers import hold as place

    with open_house(play) as here:
        answered = place(
            here.engine, who, by=by, now=clock(as_of), until=until, note=note, account=account, cause=HoldCause(cause),
            clock=PauseClock(pause) if pause else None, override=override, play=here.play,
        )  # fmt: skip
    show_answer(answered, json_, until=until, clock=pause)


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
@override
@play_key
@by
@as_of
@as_json
def release(
    who: str, causes: tuple[str, ...], account: str | None, override: str | None, play: str, by: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """End the holds on an account, or on a person.

    Releasing an account does not release people who are held by themselves. What a rep holds is released by the rep,
    the backup of an absent one, or the manager; anybody else says why, and the rep's next brief tells who did.

    Example: tandem release acme
    """
    from flows.house import open_house
    from flows.sales.answers import release as let_go

    with open_house(play) as here:
        answered = let_go(
            here.engine, who, by=by, now=clock(as_of), account=account, causes=[HoldCause(cause) for cause in causes],
            override=override, play=here.play,
        )  # fmt: skip
    show_answer(answered, json_)


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
    from flows.house import play_folder
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
    with house() as (settings, engine):
        if play and not released:
            play_folder(settings, play)
        count = pull(engine, scope, target or "", by=by, now=clock(as_of), note=note or "", released=released)
    what = f"{scope} {target}" if target else "everything"
    if json_:
        show_json({"scope": scope, "target": target, "stopped": not released, "changed": count})
    elif released:
        click.echo(f"{what} goes on" if count else f"{what} was not stopped; what is: tandem stop --list")
    else:
        click.echo(f"{what} is stopped; go on with: tandem stop {f'--{scope} {target} ' if target else ''}--release")


def _list_brakes(json_: bool) -> None:
    from accounts.ledger.engine import reading
    from accounts.ledger.planning.brakes import pulled

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
@override
@play_key
@note
@by
@as_of
@as_json
def feedback(
    who: str, verdict: str, topic: str | None, callback_on: datetime | None, account: str | None,
    override: str | None, play: str, note: str | None, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """A rep's word: ripe, not_yet, wrong_person, bad_timing.

    bad_timing holds until --callback-on (or 30 days); wrong_person ends all mail to that person; ripe and not_yet
    count in the score at once and change no plan.

    Example: tandem feedback dana@acme.example wrong_person --note "moved to another plant"
    """
    from flows.house import open_house
    from flows.sales.answers import feedback as give

    day: date | None = callback_on.date() if callback_on else None
    with open_house(play) as here:
        answered = give(
            here.engine, who, Verdict(verdict), by=by, now=clock(as_of), topic=topic, note=note, callback_on=day,
            account=account, override=override, play=here.play,
        )  # fmt: skip
    show_answer(answered, json_, verdict=verdict)


@click.command()
@who
@click.argument("content", required=False)
@click.option("--withdraw", is_flag=True, help="Take this veto back.")
@override
@play_key
@note
@by
@as_of
@as_json
def veto(
    who: str, content: str | None, withdraw: bool, override: str | None, play: str, note: str | None, by: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Say no to one content for a person, or to all mail for them.

    Example: tandem veto bob@acme.example new-business/evaluation/five-slides
    """
    from flows.house import open_house
    from flows.sales.answers import veto as say_no

    with open_house(play) as here:
        answered = say_no(
            here.engine, who, content, by=by, now=clock(as_of), note=note, withdrawn=withdraw, override=override,
            play=here.play,
        )  # fmt: skip
    show_answer(answered, json_, content=content)
