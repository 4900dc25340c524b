"""`tandem audiences`: who should see ads, whom the platforms have, and which audiences are too small to serve."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from flows.cli.door import as_json, as_of, clock, show_json

if TYPE_CHECKING:
    from flows.audience_sync import AudiencesSynced


@click.command()
@click.option("--play", default="new-business", show_default=True, help="A folder of templates/plays.")
@as_of
@as_json
def audiences(play: str, as_of: datetime | None, json_: bool) -> None:
    """Show the ad audiences of a play: wanted now, confirmed by the platform, still owed, servable or not.

    Changes nothing; `tandem run audiences` tells the platforms, or writes the files to upload.

    Example: tandem audiences --play new-business
    """
    from dataclasses import asdict

    from flows.audience_sync import look_at_audiences
    from flows.house import open_house

    with open_house(play) as house:
        seen = look_at_audiences(house.engine, house.play, clock(as_of))
    if json_:
        show_json({name: value for name, value in asdict(seen).items() if name not in ("added", "removed", "failures")})
        return
    _show(seen)


def _show(seen: "AudiencesSynced") -> None:
    if not seen.audiences:
        click.echo("This play shows no ads; name its platforms in play.yaml under ads.")
    shown = ""
    for report in seen.audiences:
        head = f"{report.platform} {report.kind}"
        if head != shown:
            click.echo(f"\n{head}\n  {'stage':<12}{'wanted':>7}{'confirmed':>10}{'add':>6}{'remove':>8}")
            shown = head
        counts = f"{report.wanted:>7}{report.confirmed:>10}{report.pending_add:>6}{report.pending_remove:>8}"
        click.echo(f"  {report.stage:<12}{counts}  {report.servable}")
    for line in _remarks(seen):
        click.echo(f"\n{line}")


def _remarks(seen: "AudiencesSynced") -> list[str]:
    lines = []
    if seen.excluded:
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in seen.excluded)
        lines.append(f"In no audience: {reasons}.")
    if seen.unusable:
        lines.append("Not usable: " + ", ".join(f"{count} for {name}" for name, count in seen.unusable) + ".")
    if seen.stopped_by:
        lines.append(f"Nobody is added: {seen.stopped_by} pulled the kill switch. Removals go on.")
    return lines
