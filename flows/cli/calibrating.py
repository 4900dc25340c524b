"""`tandem calibrate`: how far scores agree with reps, the weights that would agree more, and a person's yes to them."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.door import as_json, as_of, clock, show_json

if TYPE_CHECKING:
    from accounts.calibration import Agreement
    from accounts.playbook import Play
    from flows.sales.calibrating import Proposal


@click.command()
@click.option("--play", default="new-business", show_default=True, help="Whose weights.")
@click.option(
    "--patch", type=click.Path(path_type=Path), default=None, help="Write the proposal to this file as a diff."
)
@click.option("--adopt", type=int, default=None, help="Write the weights of this proposal into play.yaml.")
@click.option("--by", default=getpass.getuser, help="Who adopts it; default: you, as the computer knows you.")
@as_of
@as_json
def calibrate(
    play: str, patch: Path | None, adopt: int | None, by: str, as_of: datetime | None, json_: bool
) -> None:  # fmt: skip
    """Compare scores with what reps said (ripe against not yet and bad timing), and propose other weights if they agree
    clearly more with verdicts they were not learned from.

    Nothing changes until somebody adopts a proposal by its number. docs/calibration.md says how it is done.

    Example: tandem calibrate
    """
    from flows.house import open_house, play_folder
    from flows.sales import calibrating

    with open_house(play) as here:
        folder = play_folder(here.settings, play)
        if adopt is not None:
            diff = calibrating.adopt(here.engine, here.play, folder, adopt, by=by, now=clock(as_of))
            _adopted(adopt, diff, by, json_)
            return
        made = calibrating.calibrate(here.engine, here.play, folder, clock(as_of))
        if patch and made.diff:
            patch.write_text(made.diff, encoding="utf-8")
        if json_:
            show_json({**calibrating.findings(made.calibration), "number": made.number, "diff": made.diff})
            return
        _show(made, here.play)


def _adopted(number: int, diff: str, by: str, json_: bool) -> None:
    if json_:
        show_json({"number": number, "diff": diff, "by": by})
        return
    click.echo(diff or "play.yaml says so already", nl=not diff)
    click.echo(f"calibration {number} is adopted by {by}; the next run scores with it")


def _show(made: "Proposal", play: "Play") -> None:
    found = made.calibration
    click.echo(
        f"{found.verdicts} verdicts; the score puts the ripe account first in {_share(found.overall)} (50: chance)"
    )
    for kind, one in found.kinds.items():
        weight = play.engagement.weights[kind]
        new = f" -> {found.proposed[kind]:g}" if kind in found.proposed else ""
        click.echo(f"  {kind:<20} {_share(one):<12} weight {weight:g}{new}")
    for rep, one in found.reps.items():
        click.echo(f"  {rep:<40} {_share(one):<12} {one.ripe} ripe, {one.unripe} not")
    click.echo(found.why)
    if made.number is None:
        return
    click.echo(f"held out: {_share(found.held_out_old)} as it is, {_share(found.held_out_new)} as proposed")
    for move in found.moves[:5]:
        word = "ripe" if move.is_ripe else "not ripe"
        click.echo(f"  the account of verdict {move.verdict} ({word}) moves from place {move.old} to {move.new}")
    click.echo(made.diff, nl=False)
    click.echo(f"to adopt it: tandem calibrate --adopt {made.number}")


def _share(one: "Agreement | None") -> str:
    return f"{100 * one.share:.0f} of 100" if one and one.share is not None else "not known"
