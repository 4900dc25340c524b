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

    tandem audiences --play new-business
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
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table("platform", "audience", "wanted", "confirmed", "to add", "to remove", "", box=SIMPLE)
    for report in seen.audiences:
        counts = (report.wanted, report.confirmed, report.pending_add, report.pending_remove)
        named = f"{report.stage} {report.kind}"
        table.add_row(report.platform, named, *(str(count) for count in counts), report.servable)
    Console().print(table if seen.audiences else "This play shows no ads; name its platforms in play.yaml under ads.")
    for line in _remarks(seen):
        click.echo(line)


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
