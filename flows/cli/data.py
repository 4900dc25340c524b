"""What comes in: `import`, and `quarantine` for rows that could not be taken."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.door import as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from accounts.ledger.importing.quarantine import Entry, Group
    from flows.importing import Imported, Retried

#: Letters of a cell that are shown; the rest is in the JSON.
MOST_LETTERS = 200

play_key = click.option(
    "--play", "play_key", default="new-business", show_default=True, help="A folder of templates/plays."
)
dataset_name = click.option(
    "--dataset",
    type=click.Choice(["reps", "accounts", "stakeholders", "opportunities", "activities", "signals", "mail"]),
    default=None,
    help="Only rows of this kind.",
)


@click.command("import")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--mapping", type=click.Path(path_type=Path), default=None, help="How to read other columns (YAML).")
@click.option("--from", "source", type=click.Choice(["csv"]), default="csv", help="Kind of export; default: csv.")
@click.option("--dry-run", is_flag=True, help="Judge everything, write nothing.")
@play_key
@as_of
@as_json
def import_(
    paths: tuple[Path, ...], mapping: Path | None, source: str, dry_run: bool, play_key: str, as_of: datetime | None,
    json_: bool,
) -> None:  # fmt: skip
    """Read CRM exports: accounts, people, opportunities, activities, reps, signals.

    A PATH is a file or a folder of files called accounts.csv, stakeholders.csv, and so on; other exports need a mapping
    file. Rows that break a rule go to quarantine with the reason, all others go in. Doing it twice changes nothing.

    Example: tandem import examples/csv
    """
    from flows.house import open_house
    from flows.importing import import_paths, load_mapping

    mapped = load_mapping(mapping) if mapping else None
    with open_house(play_key) as opened, _progress() as tell:
        imported = import_paths(
            opened.engine, paths, mapping=mapped, now=clock(as_of), play=opened.play, progress=tell, dry_run=dry_run
        )
    if json_:
        show_json(imported.as_json())
    else:
        click.echo("\n".join(_imported(imported)))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def quarantine(ctx: click.Context, json_: bool) -> None:
    """Show rows that could not be taken, with their reasons, and try them again.

    Example: tandem quarantine retry
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, json_=json_)


@quarantine.command("list")
@as_json
def list_(json_: bool) -> None:
    """Count the rows that wait, by reason.

    Example: tandem quarantine list
    """
    from accounts.ledger.engine import reading
    from accounts.ledger.importing.quarantine import count_open, group_open

    with house() as (_, engine), reading(engine) as connection:
        groups, waiting = group_open(connection), count_open(connection)
    if json_:
        show_json({"open": waiting, "reasons": [_group_facts(group) for group in groups]})
    else:
        click.echo("\n".join(_groups(groups, waiting)))


@quarantine.command("show", short_help="Show rows as they came, with every reason.")
@click.argument("number", type=int, required=False)
@click.option("--reason", default=None, help="All rows with this reason, as `list` names it.")
@dataset_name
@click.option("--most", default=20, show_default=True, help="How many rows at most.")
@as_json
def show(number: int | None, reason: str | None, dataset: str | None, most: int, json_: bool) -> None:
    """Show rows as they came, with every reason: one by its NUMBER, or all with a reason.

    Example: tandem quarantine show --reason account_is_named --most 3
    """
    from accounts.ledger.engine import reading
    from accounts.ledger.importing.quarantine import read_entry, read_open

    with house() as (_, engine), reading(engine) as connection:
        if number is not None:
            entries = [read_entry(connection, number)]
        else:
            entries = read_open(connection, dataset=dataset, rule=reason, most=most)
    if json_:
        show_json([_entry_facts(entry) for entry in entries])
    else:
        click.echo("\n\n".join(map(_entry, entries)) or _nothing(reason))


@quarantine.command("retry", short_help="Judge the rows that wait once more.")
@dataset_name
@play_key
@as_of
@as_json
def retry(dataset: str | None, play_key: str, as_of: datetime | None, json_: bool) -> None:
    """Judge the rows that wait once more: what passes now goes in, the rest waits on.

    Example: tandem quarantine retry --dataset stakeholders
    """
    from flows.house import open_house
    from flows.importing import retry_quarantine

    with open_house(play_key) as opened, _progress() as tell:
        retried = retry_quarantine(
            opened.engine, now=clock(as_of), play=opened.play, dataset=dataset, progress=tell
        )  # fmt: skip
    if json_:
        show_json({"tried": retried.tried, "passed": retried.passed, "still": retried.still})
    else:
        click.echo(_retried(retried))


@quarantine.command("dismiss")
@click.argument("numbers", type=int, nargs=-1, required=True, metavar="NUMBER…")
@as_of
@as_json
def dismiss(numbers: tuple[int, ...], as_of: datetime | None, json_: bool) -> None:
    """Settle rows that need nothing more, such as a copy. They stay readable with `show`.

    Example: tandem quarantine dismiss 12
    """
    from accounts.ledger.engine import writing
    from accounts.ledger.importing.quarantine import dismiss as settle
    from accounts.ledger.importing.quarantine import read_entry

    with house() as (_, engine), writing(engine) as connection:
        for number in numbers:
            read_entry(connection, number)
        settled = settle(connection, numbers, clock(as_of))
    if json_:
        show_json({"dismissed": settled})
    else:
        click.echo(f"{settled} of {len(numbers)} rows dismissed; the others were settled already.")


# How it is told


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None] | None]:
    """A bar on the terminal; nothing where nobody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<32}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking at files", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


def _imported(imported: "Imported") -> Iterator[str]:
    if imported.is_rehearsal:
        yield "Nothing was written: this was a rehearsal."
    for taken in imported.datasets:
        parts = [f"{taken.added:,} new", f"{taken.changed:,} changed", f"{taken.unchanged:,} unchanged"]
        rest = {
            "in quarantine": taken.quarantined, "left out": taken.left_out, "forgotten": taken.forgotten,
            "said twice": taken.copies,
        }  # fmt: skip
        parts += [f"{count:,} {word}" for word, count in rest.items() if count]
        yield f"{taken.dataset:<14} {taken.read:>9,} read: {', '.join(parts)}"
    for reason in imported.reasons:
        yield f"! {reason.rows:,} {reason.dataset}: {reason.sentence}; the first: {reason.first} ({reason.cure})"
    for warned in (*(one for taken in imported.datasets for one in taken.warnings), *imported.warnings):
        more = ", …" if warned.cases > len(warned.examples) else ""
        yield f"~ {warned.sentence}: {warned.cases:,}, {', '.join(warned.examples)}{more} ({warned.cure})"
    yield from (f"  {notice}" for notice in imported.notices)
    if imported.quarantined and not imported.is_rehearsal:
        yield "Rows in quarantine are not lost: tandem quarantine"


def _groups(groups: "list[Group]", waiting: int) -> Iterator[str]:
    if not waiting:
        yield "Nothing waits."
        return
    for group in groups:
        yield f"{group.rows:>9,}  {group.dataset:<14} {group.sentence}  [{group.rule}, first: {group.first}]"
    yield f"{waiting:,} rows wait. See them: tandem quarantine show --reason NAME; try them: tandem quarantine retry"


def _nothing(reason: str | None) -> str:
    if reason is None:
        return "Nothing waits."
    return "Nothing waits for that reason: tandem quarantine list names those that rows wait for."


def _group_facts(group: "Group") -> dict[str, Any]:
    return {name: getattr(group, name) for name in group.__slots__}


def _entry(entry: "Entry") -> str:
    place = f"{entry.source}:{entry.row_number}"
    state = f", settled {entry.resolved_at.astimezone():%Y-%m-%d %H:%M}" if entry.resolved_at else ""
    reasons = [
        f"  ! {reason.sentence}" + (f": {reason.column} = {_cell(reason.value)!r}" if reason.value else "")
        for reason in entry.reasons
    ]
    values = [f"    {name}: {_cell(value)}" for name, value in entry.row.items() if value]
    return "\n".join([f"{entry.id}  {entry.dataset}, {place}{state}", *reasons, *values])


def _cell(value: str) -> str:
    """A cell as one line that a terminal takes for text, and not for a novel or a command."""
    line = "".join(letter if letter.isprintable() else " " for letter in value[:MOST_LETTERS])
    return line if len(value) <= MOST_LETTERS else f"{line}… ({len(value):,} letters; --json shows them all)"


def _entry_facts(entry: "Entry") -> dict[str, Any]:
    facts = {name: getattr(entry, name) for name in entry.__slots__}
    return {**facts, "reasons": [reason.as_json() for reason in entry.reasons]}


def _retried(retried: "Retried") -> str:
    if not retried.tried:
        return "Nothing waits that could be tried again."
    lines = [f"{retried.tried:,} rows tried: {retried.passed:,} went in, {retried.still:,} wait on."]
    lines += [
        f"! {reason.rows:,} {reason.dataset}: {reason.sentence} ({reason.cure})"
        for taken in retried.datasets
        for reason in taken.reasons
    ]
    return "\n".join(lines)
