"""`tandem dns`: what the owner of the domain publishes, beside what is published."""

from typing import TYPE_CHECKING, Any

import click

from flows.cli.door import as_json, show_json

if TYPE_CHECKING:
    from flows.doctor.records import Record, Verdict
    from flows.doctor.resolver import LookUp
    from flows.settings import Settings


@click.command()
@click.option("--server", metavar="ADDRESS", help="Ask this name server, 1.1.1.1 or 127.0.0.1:5353.")
@click.option("--offline", is_flag=True, help="Ask nobody; only say what to publish.")
@click.option("--zone", is_flag=True, help="Only the records, as lines of a zone file.")
@as_json
def dns(server: str | None, offline: bool, zone: bool, json_: bool) -> None:
    """What to publish so that mail from your domain is believed, and whether it is published.

    DKIM keys, SPF, DMARC and a mail server for bounces, for the channel and the domains that are set; what each is for
    stands in docs/deliverability.md. Exit code 1 if something is missing or wrong.

    Example: tandem dns --server 1.1.1.1
    """
    from flows.doctor.records import records
    from flows.settings import load_settings

    settings = load_settings()
    wanted = records(settings)
    if zone:
        click.echo("\n".join(record.zone_line() for record in wanted))
        return
    look_up = None if offline else _resolver(settings, server)
    judged = [(record, _judge(record, look_up)) for record in wanted]
    if json_:
        show_json([_facts(record, verdict) for record, verdict in judged])
    else:
        click.echo("\n".join([*_lines(judged), *_hints(settings, judged)]))
    if any(verdict is not None and verdict.state == "fail" for _, verdict in judged):
        raise SystemExit(1)


def _resolver(settings: "Settings", server: str | None) -> "LookUp | None":
    """Names that the public DNS does not know are asked for only at a server that was named."""
    from flows.doctor.resolver import Resolver, is_reserved

    return None if server is None and is_reserved(settings.sending_domain) else Resolver(server)


def _judge(record: "Record", look_up: "LookUp | None") -> "Verdict | None":
    found = record.found(look_up) if look_up else None
    return None if found is None else record.judge(found)


def _lines(judged: "list[tuple[Record, Verdict | None]]") -> list[str]:
    from flows.cli.house import SIGNS

    lines = []
    for record, verdict in judged:
        sign, colour = SIGNS[verdict.state] if verdict else ("?", "white")
        lines += [f"{click.style(sign, fg=colour)} {record.name}  {record.kind}  ({record.why})", f"    {record.value}"]
        lines += [f"    now: {verdict.says}"] if verdict else []
    return lines


def _hints(settings: "Settings", judged: "list[tuple[Record, Verdict | None]]") -> list[str]:
    """What the records do not say."""
    from flows.channels.email.dkim_keys import MAKE_A_KEY
    from flows.doctor.records import writes_itself

    hints = []
    if any(verdict is None for _, verdict in judged):
        hints += ["Not compared with the DNS: nobody was asked, or nobody answered."]
    if writes_itself(settings):
        hints += [f"DKIM, SPF and the return path: as {settings.channel} shows them on its pages for your domain."]
    elif not settings.dkim.is_set:
        hints += [f"DKIM: no key is set. {MAKE_A_KEY['rsa']}; set dkim.rsa_key_file."]
    return hints


def _facts(record: "Record", verdict: "Verdict | None") -> dict[str, Any]:
    return {
        "name": record.name, "type": record.kind, "value": record.value, "why": record.why,
        "state": verdict.state if verdict else None, "says": verdict.says if verdict else None,
    }  # fmt: skip
