"""`tandem proposals`: people who may belong to a buying group, and a person's yes or no."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from accounts.vocabulary import ConsentBasis, Role
from flows.cli.door import as_json, as_of, clock, house, show_json
from flows.cli.reps import by, override

if TYPE_CHECKING:
    from accounts.ledger.people.proposals import OpenProposal


@click.group(invoke_without_command=True)
@click.pass_context
def proposals(context: click.Context) -> None:
    """People who were seen or named and may belong to a group. Nobody writes to them before somebody says yes.

    Example: tandem proposals
    """
    if context.invoked_subcommand is None:
        context.invoke(list_)


@proposals.command(name="list")
@click.option("--account", default=None, help="Only this account.")
@as_json
def list_(account: str | None = None, json_: bool = False) -> None:
    """Who waits for an answer, and why they were proposed.

    Example: tandem proposals list --account acme
    """
    from accounts.ledger.engine import reading
    from accounts.ledger.people.proposals import read_open

    with house() as (_, engine), reading(engine) as connection:
        found = read_open(connection, account)
    if json_:
        show_json([asdict(one) | {"name": one.name} for one in found])
        return
    for one in found:
        click.echo(f"{one.id:>5}  {one.account:<20} {_who(one)}   {one.why}")
    click.echo("tandem proposals accept NUMBER, or reject NUMBER" if found else "nobody is proposed")


@proposals.command()
@click.argument("number", type=int)
@click.option("--role", type=click.Choice([role.value for role in Role]), default=None, metavar="ROLE")
@click.option("--email", default=None, help="The address, where only a name is known.")
@click.option(
    "--consent",
    type=click.Choice([basis.value for basis in ConsentBasis]),
    default=None,
    help="On what basis we may write; without one, nobody does.",
)
@click.option("--play", default="new-business", show_default=True, help="Whose weights and pauses count.")
@override
@by
@as_of
@as_json
def accept(
    number: int, role: str | None, email: str | None, consent: str | None, play: str, override: str | None, by: str,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """This person is one of the group. What they did meanwhile counts from now on.

    The rep says so, the backup of an absent one, or the manager; anybody else says why, and the rep's next brief tells
    who did.

    Example: tandem proposals accept 12 --role champion --consent consent
    """
    from flows.house import open_house
    from flows.sales.proposals import Word
    from flows.sales.proposals import accept as say_yes

    seat, basis = Role(role) if role else None, ConsentBasis(consent) if consent else None
    with open_house(play) as here:
        asked, taken = say_yes(
            here.engine, here.play, number, Word(by, override=override), now=clock(as_of), email=email, role=seat,
            consent=basis,
        )  # fmt: skip
    mail = "may be written to" if basis else "gets no mail: no basis for it"
    signals = "1 signal" if taken == 1 else f"{taken} signals"
    said = f"{asked.name} is one of {asked.account}, {mail}; {signals} taken out of quarantine"
    _answer(json_, said, asked)


@proposals.command()
@click.argument("number", type=int)
@override
@by
@as_of
@as_json
def reject(number: int, override: str | None, by: str, as_of: datetime | None, json_: bool) -> None:
    """This person is none of the group. Nothing is kept of them, and nobody asks again.

    Who may say so is as with accept.

    Example: tandem proposals reject 12
    """
    from flows.sales.proposals import Word
    from flows.sales.proposals import reject as say_no

    with house() as (_, engine):
        asked = say_no(engine, number, Word(by, override=override), now=clock(as_of))
    _answer(json_, f"{asked.name} is none of {asked.account}", asked)


def _who(one: "OpenProposal") -> str:
    title = f", {one.title}" if one.title else ""
    address = f" <{one.email}>" if one.email and one.name != one.email else ""
    return f"{one.name}{address}{title}"


def _answer(json_: bool, said: str, asked: "OpenProposal") -> None:
    if json_:
        show_json({"said": said, "proposal": asdict(asked)})
    else:
        click.echo(said)
