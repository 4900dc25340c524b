"""What else reps say: `delay`, `first-mail`, `seat`, `person`, `claim`, `objection`, `lease`, `wrong-line`.

Each is the twin of an answer on a page or in a chat, and comes through the same door.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from accounts.vocabulary import Role
from flows.cli.door import Instant, as_json, as_of, clock, house, show_answer, show_json
from flows.cli.reps import account, by, override, play_key, who

if TYPE_CHECKING:
    from accounts.answers import Said

name = click.option("--name", default=None, help="First and last name.")
title = click.option("--title", default=None, help="Job title.")


@click.command()
@who
@click.argument("content", required=False)
@click.option("--until", type=Instant(), default=None, help="Day or time from which it may leave.")
@click.option("--withdraw", is_flag=True, help="It need not wait any longer.")
@account
@override
@play_key
@by
@as_of
@as_json
def delay(
    who: str, content: str | None, until: datetime | None, withdraw: bool, account: str | None, override: str | None,
    play: str, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Let one content wait for a person, or (--withdraw) no longer; without a name, their next one.

    Example: tandem delay bob@acme.example new-business/evaluation/five-slides --until 2026-12-08
    """
    from accounts.answers import AnswerKind, Said

    if withdraw == (until is not None):
        raise click.UsageError("say --until when it waits, or --withdraw")
    kind = AnswerKind.UNDELAY if withdraw else AnswerKind.DELAY
    said = Said(kind, 0, content=content, until=until, override=override)
    _say(said, who, play, by, as_of, json_, account=account)


@click.command("first-mail")
@click.argument("account_key", metavar="ACCOUNT")
@override
@play_key
@by
@as_of
@as_json
def first_mail(
    account_key: str, override: str | None, play: str, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """A rep's yes to the first mail of an account, where the play asks for one.

    Example: tandem first-mail acme --by ravi@lumenflow.example
    """
    from accounts.answers import AnswerKind, Said

    _say(Said(AnswerKind.APPROVE, 0, override=override), account_key, play, by, as_of, json_)


@click.command()
@click.argument("role", type=click.Choice([role.value for role in Role]), metavar="ROLE")
@who
@click.option("--email", default=None, help="Of somebody new, who is not in the group yet.")
@name
@title
@account
@override
@play_key
@by
@as_of
@as_json
def seat(
    role: str, who: str, email: str | None, name: str | None, title: str | None, account: str | None,
    override: str | None, play: str, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Say who has a seat of the buying group; nothing changes that role afterwards but another word.

    For somebody new give the account and their address; nobody writes to them before a basis for it is known.

    Example: tandem seat economic_buyer acme --email zoe@acme.example --name "Zoe Lin" --by ravi@lumenflow.example
    """
    from accounts.answers import AnswerKind, Said

    said = Said(AnswerKind.SEAT, 0, role=Role(role), email=email, name=name, title=title, override=override)
    _say(said, who, play, by, as_of, json_, account=account)


@click.command()
@who
@click.option("--email", default=None, help="Their address from now on; with an account: of somebody new.")
@name
@title
@click.option("--role", type=click.Choice([role.value for role in Role]), default=None, metavar="ROLE")
@click.option("--left", is_flag=True, help="They work there no longer.")
@account
@override
@play_key
@by
@as_of
@as_json
def person(
    who: str, email: str | None, name: str | None, title: str | None, role: str | None, left: bool,
    account: str | None, override: str | None, play: str, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Correct what we know of a person (by address), or add somebody to an account (by its key).

    Example: tandem person acme --email zoe@acme.example --name "Zoe Lin"
    """
    from accounts.answers import AnswerKind, Said

    kind = AnswerKind.CORRECT_PERSON if "@" in who else AnswerKind.ADD_PERSON
    seat = Role(role) if role else None
    said = Said(kind, 0, email=email, name=name, title=title, role=seat, gone=left, override=override)
    _say(said, who, play, by, as_of, json_, account=account)


@click.command()
@click.argument("email")
@click.argument("account_key", metavar="ACCOUNT")
@override
@play_key
@by
@as_of
@as_json
def claim(
    email: str, account_key: str, override: str | None, play: str, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """A person who stands in several accounts belongs to this one: only its mail reaches them.

    Example: tandem claim bob@initech.example initech-south --by sofia@lumenflow.example
    """
    from accounts.answers import AnswerKind, Said

    _say(Said(AnswerKind.CLAIM, 0, override=override), email, play, by, as_of, json_, account=account_key)


@click.command()
@who
@click.argument("words", required=False)
@click.option("--topic", is_flag=True, help="Something they want to hear about, rather than an objection.")
@click.option("--close", "closed", type=int, default=None, metavar="NUMBER", help="This one is settled.")
@account
@override
@play_key
@by
@as_of
@as_json
def objection(
    who: str, words: str | None, topic: bool, closed: int | None, account: str | None,
    override: str | None, play: str, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Keep what a buyer holds against us, or wants to hear about; without words, list what is open.

    Example: tandem objection bob@acme.example "the payback is longer than their lease"
    """
    from accounts.answers import AnswerKind, Said

    if closed is not None:
        settled = Said(AnswerKind.CLOSE_OBJECTION, 0, objection_id=closed, override=override)
        _say(settled, who, play, by, as_of, json_, account=account)
    elif words:
        kind = AnswerKind.TOPIC if topic else AnswerKind.OBJECTION
        _say(Said(kind, 0, words=words), who, play, by, as_of, json_, account=account)
    else:
        _list_objections(who, account, json_)


@click.command()
@click.argument("account_key", metavar="ACCOUNT")
@click.option("--spare", "people", multiple=True, metavar="EMAIL", help="Nobody writes to them; repeatable.")
@click.option("--not-about", "topics", multiple=True, metavar="TOPIC", help="Nobody writes about it; repeatable.")
@click.option("--per-week", type=click.IntRange(0, 50), default=None, help="E-mails to the group; 0: as the play says.")
@click.option("--ads/--no-ads", default=None, help="Whether ads are shown to the group.")
@click.option("--no-limits", is_flag=True, help="Lift all limits; the lease stays.")
@click.option("--give-back", is_flag=True, help="End the lease, and its limits with it.")
@override
@play_key
@by
@as_of
@as_json
def lease(
    account_key: str, people: tuple[str, ...], topics: tuple[str, ...], per_week: int | None, ads: bool | None,
    no_limits: bool, give_back: bool, override: str | None, play: str, by: str, as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """The account is yours while you work it: take it, renew it, say what marketing leaves alone meanwhile.

    Limits bind every play. Real contact renews the lease; without any it ends after a notice, and its limits with it.

    Example: tandem lease acme --spare bob@acme.example --per-week 1 --no-ads --by ravi@lumenflow.example
    """
    from accounts.answers import AnswerKind, Limits, Said

    lifted = Limits((), (), 0, True)
    wanted = lifted if no_limits else Limits(_ids(people, account_key) or None, topics or None, per_week, ads)
    kind = AnswerKind.LIMITS if wanted != Limits() else AnswerKind.TAKE
    said = Said(AnswerKind.GIVE_BACK if give_back else kind, 0, limits=wanted, override=override)
    _say(said, account_key, play, by, as_of, json_)


@click.command("wrong-line")
@click.argument("account_key", metavar="ACCOUNT")
@click.argument("line", type=click.IntRange(1))
@click.argument("words", required=False)
@click.option("--brief", type=int, default=None, help="Number of the brief it stands in.")
@play_key
@by
@as_of
@as_json
def wrong_line(
    account_key: str, line: int, words: str | None, brief: int | None, play: str, by: str, as_of: datetime | None,
    json_: bool,
) -> None:  # fmt: skip
    """A line of a brief is wrong; say what is.

    Example: tandem wrong-line acme 3 "she was not at the webinar" --brief 41
    """
    from accounts.answers import AnswerKind, Said

    said = Said(AnswerKind.WRONG_LINE, 0, line=line, words=words)
    _say(said, account_key, play, by, as_of, json_, brief_id=brief)


def _say(
    said: "Said", who: str, play: str, by: str, as_of: datetime | None, json_: bool, *, account: str | None = None,
    **more: Any,
) -> None:  # fmt: skip
    from flows.house import open_house
    from flows.sales.answers import say

    with open_house(play) as here:
        told = say(here.engine, said, who, by=by, now=clock(as_of), account=account, play=here.play, **more)
    show_answer(told, json_)


def _ids(people: tuple[str, ...], account_key: str) -> tuple[int, ...]:
    """Ids of these addresses in the account."""
    from accounts.ledger.engine import reading
    from accounts.ledger.subjects import find_subjects

    with house() as (_, engine), reading(engine) as connection:
        found = [find_subjects(connection, one, account_key)[0].stakeholder_id for one in people]
    return tuple(id for id in found if id is not None)


def _list_objections(who: str, account: str | None, json_: bool) -> None:
    from accounts.ledger.engine import reading
    from accounts.ledger.people.objections import open_objections
    from accounts.ledger.subjects import find_subjects

    with house() as (_, engine), reading(engine) as connection:
        subjects = find_subjects(connection, who, account)
        found = open_objections(connection, [one.account_id for one in subjects])
    people = {one.stakeholder_id for one in subjects}
    listed = [one for some in found.values() for one in some if people == {None} or one.stakeholder_id in people]
    if json_:
        show_json([{"id": one.id, "kind": one.kind, "words": one.words, "at": one.at} for one in listed])
        return
    for one in listed:
        click.echo(f"{one.id}  {one.kind}, {one.at.astimezone():%Y-%m-%d}: {one.words}")
    if not listed:
        click.echo("nothing is open")
