"""Who gets what, and why: `plan` for everybody, `why` for one person, `late` for what waits for a decision."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from accounts.garbage import uncollected
from accounts.vocabulary import Answer
from flows.cli.door import as_json, as_of, clock, show_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accounts.ledger.planning.results import Late
    from accounts.why import Case, Who
    from flows.planning import Days, Foreseen, Line

#: Lines shown unless all are asked for.
MOST = 40
#: How far `plan` looks ahead at one account, and at most.
WEEK = 7

play_key = click.option(
    "--play", "play_key", default="new-business", show_default=True, help="A folder of templates/plays."
)
account_key = click.option("--account", default=None, metavar="KEY", help="Only this account.")


@click.command()
@click.argument("number", type=int, required=False, metavar="[NUMBER]")
@account_key
@click.option("--all", "everybody", is_flag=True, help=f"Every line; default: all of an account, else {MOST}.")
@click.option(
    "--days", type=click.IntRange(1, WEEK), help=f"What leaves in so many days, mail by mail; of an account: {WEEK}."
)
@play_key
@as_of
@click.option("--csv", "csv_", is_flag=True, help="With a number: as CSV.")
@as_json
def plan(
    number: int | None, account: str | None, everybody: bool, days: int | None, play_key: str, as_of: datetime | None,
    csv_: bool, json_: bool,
) -> None:  # fmt: skip
    """Show who gets what and when and why, and who does not and why not.

    Any moment can be asked for, past or future; nothing is written. A future moment supposes that nothing happens until
    then, and that nothing is sent. A time beside somebody is the first at which their answer may change: colleagues who
    wait for the same hour take turns.

    With --days, or for one account: what leaves then, mail by mail, as planning goes on and mails leave. It supposes
    that nobody reacts and nothing changes: no answer, no stage, no hold or brake that is not there now. Where the pace
    is limited, some may leave later.

    With the number of a send plan: who got it, who did not and why, when, and through which provider.

    Example: tandem plan --account acme --as-of 2026-12-01T09:00
    """
    if number is not None:
        if account or everybody or days or as_of:
            raise click.UsageError("a send plan is shown as it is: the other options are for planning")
        _show_delivery(number, csv_=csv_, json_=json_)
        return
    if csv_:
        raise click.UsageError("--csv needs the number of a send plan; tandem plan --json tells the whole planning")
    from flows.house import open_house
    from flows.planning import foresee, look_ahead

    most, keys, now = None if everybody or account else MOST, [account] if account else (), clock(as_of)
    days = WEEK if account and days is None else days
    with open_house(play_key) as house:
        foreseen = foresee(house.engine, house.play, now, accounts=keys, most=most)
        pace = house.settings.pace
        ahead = look_ahead(house.engine, house.play, now, days, accounts=keys, most=most, pace=pace) if days else None
    if json_:
        show_json(_as_facts(foreseen) | (_days_as_facts(ahead) if ahead else {}))
    else:
        click.echo("\n".join([*_as_text(foreseen), *(_days_as_text(ahead) if ahead else ())]))


@click.command()
@click.argument("who", metavar="EMAIL|NAME")
@play_key
@as_of
@as_json
def why(who: str, play_key: str, as_of: datetime | None, json_: bool) -> None:
    """Say in one sentence what a person gets now, or why nothing, with the facts it rests on.

    Somebody who stands in several accounts gets a sentence for each.

    Example: tandem why dana@acme.example
    """
    with uncollected():  # a sixth of the time of so short a command
        from accounts.why import explain
        from flows.house import open_house
        from flows.planning import cases_of

        with open_house(play_key) as house:
            cases = cases_of(house.engine, house.play, who, clock(as_of))
    if json_:
        show_json([_case_facts(case, explain(case)) for case in cases])
    else:
        click.echo("\n".join(explain(case) for case in cases))


@click.command()
@click.argument("who", nargs=-1, metavar="[EMAIL|NAME]…")
@account_key
@click.option("--send", "word", flag_value="send", help="Better late than never: let them go, caps and windows hold.")
@click.option("--skip", "word", flag_value="skip", help="Leave them out; each person's next step counts from now.")
@click.option("--everybody", is_flag=True, help="Decide for all that is late.")
@click.option("--by", default=getpass.getuser, help="Who says so; default: you, as the computer knows you.")
@as_of
@as_json
def late(
    who: tuple[str, ...], account: str | None, word: str | None, everybody: bool, by: str, as_of: datetime | None,
    json_: bool,
) -> None:  # fmt: skip
    """List steps that came too late to be sent unasked, and decide: send them after all, or leave them out.

    Example: tandem late --account acme --send
    """
    from flows.cli.door import house
    from flows.planning import list_late, settle_late

    if word and not (who or account or everybody):
        raise click.UsageError("say for whom: an address, --account KEY or --everybody")
    with house() as (_, engine):
        found = list_late(engine, account=account, who=who)
        if word:
            settle_late(engine, found, send=word == "send", by=by, now=clock(as_of))
    if json_:
        show_json({"decided": word, "late": [_late_facts(one, step) for one, step in found]})
    else:
        click.echo("\n".join(_late_text(found, word)))


# --- plan -------------------------------------------------------------------------------------------------------------


def _as_facts(foreseen: "Foreseen") -> dict[str, Any]:
    return {
        "play": foreseen.play, "as_of": foreseen.as_of, "people": foreseen.people, "answers": foreseen.answers,
        "reasons": foreseen.reasons, "lines": [_line_facts(line) for line in foreseen.lines],
    }  # fmt: skip


def _line_facts(line: "Line") -> dict[str, Any]:
    who, said = line.who, line.said
    return {
        "email": who.email, "name": who.name, "role": who.role, "account": who.account_key, "answer": said.answer,
        "reason": said.reason, "at": line.at, "content": said.content,
        "not_after": getattr(said, "not_after", None), "timezone": getattr(said, "timezone", None),
        "timezone_source": getattr(said, "timezone_source", None),
    }  # fmt: skip


def _as_text(foreseen: "Foreseen") -> "Iterator[str]":
    touches, waits, nevers = (foreseen.answers.get(answer, 0) for answer in Answer)
    yield (
        f"{foreseen.play} as of {_time(foreseen.as_of)}: {touches:,} of {foreseen.people:,} people get a mail now, "
        f"{waits:,} wait, {nevers:,} get nothing"
    )
    if foreseen.reasons:
        yield ""
        yield "Why people get nothing now"
        yield from _columns([(f"{count:,}", words(reason)) for reason, count in foreseen.reasons.items()], right={0})
    if foreseen.lines:
        yield ""
        yield from _columns([_cells(line) for line in foreseen.lines])
    if len(foreseen.lines) < foreseen.people:
        more = foreseen.people - len(foreseen.lines)
        yield f"… and {more:,} more: --all shows them, --account KEY those of one account"


def _days_as_facts(ahead: "Days") -> dict[str, Any]:
    leaving = [
        {"at": one.at, "email": one.who.email, "account": one.who.account_key, "content": one.content}
        for one in ahead.departures
    ]
    return {
        "until": ahead.until, "count": ahead.count, "leaving": leaving, "braked": ahead.braked,
        "supposed": _supposed(ahead),
    }  # fmt: skip


def _days_as_text(ahead: "Days") -> "Iterator[str]":
    yield ""
    what = f"{ahead.count:,} mail{'s' if ahead.count > 1 else ''}" if ahead.count else "nothing"
    yield f"What leaves until {_time(ahead.until)}: {what}. {_supposed(ahead)}"
    if ahead.braked:
        yield f"A brake holds all mail to {ahead.braked:,} of them: tandem stop --list"
    rows = [
        (_time(one.at), one.who.account_key, one.who.email, one.content.partition("/")[2]) for one in ahead.departures
    ]
    if rows:
        yield from _columns(rows)
    if len(rows) < ahead.count:
        yield f"… and {ahead.count - len(rows):,} more: --all shows them"


def _supposed(ahead: "Days") -> str:
    """What has to hold for it to come so."""
    later = " The pace is limited, so some may leave later." if ahead.is_paced and ahead.count else ""
    return f"So it comes if nobody reacts and nothing changes.{later}"


def _cells(line: "Line") -> tuple[str, ...]:
    who, said = line.who, line.said
    what = (said.content or "").partition("/")[2]
    if said.reason is None:
        answer = "now"
    elif line.at is not None:
        answer = f"not before {_time(line.at)}"
    else:
        answer = "waits" if said.answer == "wait" else "nothing"
    return who.account_key, who.email, words(who.role), answer, what, words(said.reason or "")


def _show_delivery(plan_id: int, *, csv_: bool, json_: bool) -> None:
    from accounts.ledger.engine import reading
    from accounts.ledger.sending.delivery import read_delivery
    from flows.cli.door import house
    from flows.sending.record import as_sheet, facts, text

    with house() as (_, engine), reading(engine) as connection:
        delivery = read_delivery(connection, plan_id)
    if json_:
        show_json(facts(delivery))
    elif csv_:
        click.echo(as_sheet(delivery), nl=False)
    else:
        click.echo("\n".join(text(delivery)))


# --- why --------------------------------------------------------------------------------------------------------------


def _case_facts(case: "Case", sentence: str) -> dict[str, Any]:
    account, person, said = case.account, case.person, case.said
    return {
        "email": case.who.email, "name": case.who.name, "role": person.role, "account": account.key,
        "answer": said.answer, "reason": said.reason, "until": getattr(said, "until", None), "content": said.content,
        "sentence": sentence,
        "facts": {
            "as_of": case.now, "play": case.play.key, "stage": account.stage,
            "stage_entered_at": account.stage_entered_at, "first_contacted_at": account.first_contacted_at,
            "consent_basis": person.consent_basis, "consent_at": person.consent_at,
            "email_status": person.email_status, "opted_out_at": person.opted_out_at,
            "suppressed_until": person.suppressed_until, "last_mail_at": person.last_at,
            "had": list(person.used), "mails_in_seven_days": len(case.week),
            "holds": [hold._asdict() for hold in account.holds if hold.person_id in (None, person.id)],
            "timezone": case.calendar.place.timezone, "timezone_source": case.calendar.place.source,
            "also_in": list(case.background.elsewhere),
        },
    }  # fmt: skip


# --- late -------------------------------------------------------------------------------------------------------------


def _late_facts(who: "Who", step: "Late") -> dict[str, Any]:
    return {
        "email": who.email,
        "name": who.name,
        "account": who.account_key,
        "content": step.content,
        "since": step.since,
    }


def _late_text(found: "Sequence[tuple[Who, Late]]", word: str | None) -> "Iterator[str]":
    if not found:
        yield "nothing is late"
        return
    if word:
        outcome = "may leave after all, inside caps and windows" if word == "send" else "are left out"
        yield f"{len(found):,} late steps {outcome}"
        return
    yield f"{len(found):,} steps are late and wait for a decision: --send lets them go, --skip leaves them out"
    yield from _columns(
        [
            (who.account_key, who.email, step.content.partition("/")[2], _time(step.since) if step.since else "")
            for who, step in found
        ]
    )


# --- words ------------------------------------------------------------------------------------------------------------


def words(code: str) -> str:
    """A code as people say it: ``waiting step``."""
    return code.replace("_", " ")


def _time(moment: datetime) -> str:
    local = moment.astimezone()
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def _columns(rows: "Sequence[tuple[str, ...]]", right: "set[int] | frozenset[int]" = frozenset()) -> "Iterator[str]":
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join(cells).rstrip()
