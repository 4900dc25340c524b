"""What we say, seen from the desk: `preview` one e-mail, or the whole matrix with `content`."""

from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.door import as_json, as_of, clock, house, show_json

if TYPE_CHECKING:
    from accounts.coverage import Coverage
    from accounts.playbook import Play
    from flows.content.preview import Preview

#: Gaps and dates shown before "and n more".
MOST = 12


@click.command()
@click.argument("content")
@click.option("--for", "email", default=None, metavar="EMAIL", help="As this stakeholder gets it; default: a sample.")
@click.option("--account", default=None, help="Which account, for a person who stands in several.")
@click.option("--html", "shape", flag_value="html", help="Print the HTML part.")
@click.option("--text", "shape", flag_value="text", help="Print the text part only.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write it: .eml as sent, .html or .txt.")
@click.option("--open", "open_", is_flag=True, help="Show the HTML part in the browser.")
@as_of
@as_json
def preview(
    content: str, email: str | None, account: str | None, shape: str | None, out: Path | None, open_: bool,
    as_of: datetime | None, json_: bool,
) -> None:  # fmt: skip
    """Show an e-mail as a stakeholder would get it: the very bytes that sending would send now.

    CONTENT is a key such as new-business/discovery/why-now, or its end: why-now.

    Example: tandem preview why-now --for alice@acme.example --open
    """
    from flows.content.preview import preview as compose
    from flows.settings import load_settings

    with house() if email else nullcontext((load_settings(), None)) as (settings, engine):
        shown = compose(settings, content, clock(as_of), engine=engine, email=email, account=account)
    if out:
        _write(shown, out)
    if open_:
        path = settings.home / "previews" / f"{shown.content.replace('/', '-')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(shown, path)
        click.launch(str(path.resolve()), wait=True)
    if json_:
        show_json(_facts(shown))
    elif not (out or open_):
        click.echo(_printed(shown, shape), nl=False)


@click.command()
@click.option("--play", default=None, help="Which play; default: the only one there is.")
@as_of
@as_json
def content(play: str | None, as_of: datetime | None, json_: bool) -> None:
    """Show what there is to say: stages and roles, the gaps, how many people wait on each, and what falls due.

    Every file is read and every e-mail prepared, so a mistake in any of them is found here. What is worth another look,
    such as a subject that telephones cut off, is told and keeps nothing from being sent.

    Example: tandem content --as-of 2027-03-01
    """
    from accounts.coverage import cover
    from accounts.ledger.engine import reading
    from accounts.ledger.planning.seats import count_seats
    from flows.content.mailing import open_mailroom
    from flows.content.preview import only_play

    now = clock(as_of)
    with house() as (settings, engine):
        found = only_play(settings, play)
        open_mailroom(settings, found)
        with reading(engine) as connection:
            seats = count_seats(connection, found.key)
    coverage = cover(found, seats, now.astimezone().date())
    if json_:
        show_json(_coverage_facts(found, coverage))
    else:
        click.echo("\n".join(_matrix(found, coverage)))


# --- preview ----------------------------------------------------------------------------------------------------------


def _write(shown: "Preview", path: Path) -> None:
    parts = {
        ".eml": shown.mail.raw,
        ".html": shown.message.html.encode(),
        ".txt": shown.message.text.encode(),
    }
    if path.suffix not in parts:
        raise click.BadParameter(f"{path} ends neither in .eml nor in .html or .txt", param_hint="--out")
    path.write_bytes(parts[path.suffix])
    click.echo(f"written: {path}", err=True)


def _printed(shown: "Preview", shape: str | None) -> str:
    mail, message = shown.mail, shown.message
    if shape:
        return message.html if shape == "html" else message.text
    head = {
        "From": _mailbox(mail.envelope.sender), "To": _mailbox(mail.envelope.recipient),
        "Reply-To": _mailbox(mail.envelope.reply_to), "Subject": message.subject,
        "Preheader": message.preheader,
    }  # fmt: skip
    return "".join(f"{name}: {value}\n" for name, value in head.items()) + f"\n{message.text}"


def _mailbox(box: Any) -> str:
    return f"{box.name} <{box.address}>" if box.name else str(box.address)


def _facts(shown: "Preview") -> dict[str, Any]:
    envelope, message = shown.mail.envelope, shown.message
    return {
        "content": shown.content, "account": shown.account, "planned": shown.planned, "links": shown.links,
        "from": _mailbox(envelope.sender), "to": _mailbox(envelope.recipient),
        "reply_to": _mailbox(envelope.reply_to), "message_id": envelope.message_id, "date": envelope.date,
        "unsubscribe_url": envelope.unsubscribe_url, "subject": message.subject, "preheader": message.preheader,
        "html": message.html, "text": message.text, "octets": len(shown.mail.raw),
    }  # fmt: skip


# --- content ----------------------------------------------------------------------------------------------------------


def _matrix(play: "Play", coverage: "Coverage") -> list[str]:
    """The matrix as lines: how many e-mails each seat has, and how many people sit where there is none."""
    widths = [max(len(stage), 8) for stage in coverage.stages]
    first = max([len(role.label) for role in coverage.roles] + [4])

    def row(label: str, cells: list[str]) -> str:
        shown = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return f"{label:<{first}}  {'  '.join(shown)}".rstrip()

    ads = [str(sum(ad.stage == stage for ad in play.creatives)) for stage in coverage.stages]
    return [
        f"{play.title} ({play.key}): {_many(len(play.steps), 'e-mail')}, {_many(len(play.creatives), 'ad')}",
        "",
        row("", list(coverage.stages)),
        *(row(role.label, [_cell(coverage, stage, role) for stage in coverage.stages]) for role in coverage.roles),
        row("ads", ads),
        "",
        *_listed("Gaps", [_gap(gap) for gap in coverage.gaps], "Everybody there has something to read."),
        "",
        *_listed("Dates", [_due(due) for due in coverage.due], "Nothing expires or is due for review soon."),
        *_advice(play),
    ]


def _advice(play: "Play") -> list[str]:
    from accounts.advice import advise

    told = [f"{one.content.partition('/')[2]}: {one.says}" for one in advise(play)]
    return ["", *_listed("Worth another look", told, "")] if told else []


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"


def _cell(coverage: "Coverage", stage: str, role: Any) -> str:
    if (stage, role) in coverage.cells:
        return str(len(coverage.cells[stage, role]))
    seats = coverage.seats.get((stage, role))
    return f"gap {seats.reachable}" if seats and seats.reachable else "-"


def _gap(gap: Any) -> str:
    people = f"{gap.seats.reachable} {'person waits' if gap.seats.reachable == 1 else 'people wait'}"
    expired = f"; expired: {', '.join(gap.expired)}" if gap.expired else ""
    return f"{gap.stage}, {gap.role.label}: {people}{expired}"


def _due(due: Any) -> str:
    return f"{due.day:%Y-%m-%d}  {due.what}: {due.content} ({due.owner})"


def _listed(title: str, lines: list[str], nothing: str) -> list[str]:
    if not lines:
        return [nothing]
    more = [f"  and {len(lines) - MOST} more (--json)"] if len(lines) > MOST else []
    return [f"{title}:", *(f"  {line}" for line in lines[:MOST]), *more]


def _coverage_facts(play: "Play", coverage: "Coverage") -> dict[str, Any]:
    from accounts.advice import advise

    return {
        "play": play.key,
        "version": play.version,
        "matrix": [
            {
                "stage": stage, "role": role, "contents": coverage.cells.get((stage, role), ()),
                **_seats(coverage.seats.get((stage, role))),
            }
            for stage in coverage.stages
            for role in coverage.roles
        ],
        "gaps": [
            {"stage": gap.stage, "role": gap.role, "expired": gap.expired, **_seats(gap.seats)} for gap in coverage.gaps
        ],
        "advice": [{"content": one.content, "says": one.says} for one in advise(play)],
        "due": [{"content": due.content, "owner": due.owner, "what": due.what, "day": due.day} for due in coverage.due],
    }  # fmt: skip


def _seats(seats: Any) -> dict[str, int]:
    names = ("people", "reachable", "waiting", "finished")
    return {name: getattr(seats, name) if seats else 0 for name in names}
