"""Rendering and composing one message of about 6 KB, against bare Jinja2 rendering of the same templates.

The limit fills the very sources of the product's HTML and text templates (and the subject) with plain Jinja2, holding
the templates. The product does the same in its sandbox with strict variables, signs the tokens, and writes the whole
message: headers, RFC 2047, quoted-printable. Both run in turn on one core; medians of `--rounds`, each over
`--messages` messages with different people. The standard library's EmailMessage stands beside them for scale.

    python benchmarks/compose.py [--rounds 9] [--messages 2000] [--json]
"""

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment

from accounts.ledger.sending.recipients import Recipient
from accounts.playfiles import load_play
from flows.channels.email.compose import Envelope, Readable
from flows.content.mailing import Mailroom, compose_touch, open_mailroom, read_touch
from flows.content.render import read_layout, write_templates
from flows.settings import TEMPLATES, Settings

CONTENT = "new-business/discovery/why-now"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
TARGET = 0.4
NAMES = ("Dana Example", "Jürgen Müller", "Zoë Ortega", "Ana Silva", "Łukasz Nowak")


def people(count: int, digest: str, first: int = 0) -> list[Recipient]:
    """`count` different people, five to an account, most of them with letters that are not ASCII."""
    made = []
    for number in range(first, first + count):
        account, (given, _, family) = number // 5, NAMES[number % len(NAMES)].partition(" ")
        made.append(
            Recipient(
                number + 1, number + 1, account + 1, CONTENT, digest, f"person{number}@account{account}.example",
                f"{given}-{number}", family, "Head of Operations", "champion", f"account{account}",
                f"Account Nº {account} GmbH & Co.", "Food", None, f"Rep {number % 40}",
                f"rep{number % 40}@lumenflow.example",
            )
        )  # fmt: skip
    return made


def measure(rounds: int, count: int) -> dict[str, float]:
    """Microseconds of CPU per message: medians over rounds of new people, in which all ways take turns."""
    settings = Settings(templates=TEMPLATES, base_url="https://t.example", sending_domain="mail.example")
    room = open_mailroom(settings, load_play(TEMPLATES / "plays" / "new-business"))
    digest = room.compiled.content(CONTENT).step.digest
    spent: dict[str, list[float]] = {}
    octets: list[int] = []
    render_bare = bare_jinja()

    def clock(name: str, way: Callable[[Any], object], things: Sequence[object]) -> None:
        started = process_time()
        for thing in things:
            way(thing)
        spent.setdefault(name, []).append((process_time() - started) / len(things) * 1e6)

    for number in range(rounds):
        crowd = people(count, digest, number * count)
        clock("bare Jinja2: subject, HTML, text", render_bare, [bare_values(room, person) for person in crowd])
        clock("Tandem: facts to bytes", lambda person: compose_touch(room, person, NOW), crowd)
        mails = [compose_touch(room, person, NOW) for person in crowd]
        octets += [len(mail.raw) for mail in mails]
        pairs = [(mail.envelope, read_touch(room, person, NOW)) for mail, person in zip(mails, crowd, strict=True)]
        clock("Composer.fill: a rendered message to bytes", lambda pair: room.composer.fill(*pair), pairs)
        clock("EmailMessage: the same, every 20th", lambda pair: library(*pair), pairs[::20])
    return {**{name: median(times) for name, times in spent.items()}, "octets a message": median(octets)}


def bare_jinja() -> Callable[[dict[str, Any]], object]:
    """The limit: the product's own sources in plain Jinja2, compiled once."""
    step = load_play(TEMPLATES / "plays" / "new-business").step(CONTENT)
    assert step is not None
    sources = write_templates(step, read_layout(TEMPLATES / "layout"))
    html = Environment(autoescape=True).from_string(sources.html)
    subject, text = map(Environment(autoescape=False).from_string, (sources.subject, sources.text))  # noqa: S701
    return lambda values: (subject.render(values), html.render(values), text.render(values))


def bare_values(room: Mailroom, person: Recipient) -> dict[str, Any]:
    """What the limit is given: everything ready, nothing to be signed."""
    return {
        "stakeholder": SimpleNamespace(first_name=person.first_name, last_name=person.last_name),
        "account": SimpleNamespace(name=person.account_name, industry=person.industry),
        "rep": SimpleNamespace(name=person.rep_name, first_name="Rep"),
        "vendor": SimpleNamespace(**room.compiled.play.vendor.model_dump()),
        "next_quarter": "Q1 2027",
        "unsubscribe_url": f"https://t.example/u/{person.touch_id:020}",
        "preferences_url": f"https://t.example/p/{person.touch_id:020}",
        "trap_url": f"https://t.example/n/{person.touch_id:020}",
        "link0": f"https://t.example/c/{person.touch_id:020}",
    }


def library(envelope: Envelope, message: Readable) -> bytes:
    """The same message through the standard library."""
    return library_message(envelope, message).as_bytes()


def library_message(envelope: Envelope, message: Readable) -> EmailMessage:
    """The library's own object."""
    made = EmailMessage(policy=SMTP)
    for name, box in (("From", envelope.sender), ("To", envelope.recipient), ("Reply-To", envelope.reply_to)):
        made[name] = Address(box.name, addr_spec=box.address)
    made["Subject"], made["Date"], made["Message-ID"] = message.subject, envelope.date, envelope.message_id
    made["List-Unsubscribe"] = f"<{envelope.unsubscribe_url}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(message.text)
    made.add_alternative(message.html, subtype="html")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rounds, asked.messages)
    limit, product = list(found.values())[:2]
    ratio = limit / product
    if asked.json:
        print(json.dumps({**found, "ratio": ratio, "target": TARGET}, indent=2))
        return
    for name, value in found.items():
        print(f"{value:10.1f}  {name}" + ("" if name.startswith("octets") else " (us)"))
    verdict = "reached" if ratio >= TARGET else "MISSED"
    print(f"{ratio:10.2f}  of bare Jinja2 rendering; target {TARGET}: {verdict}")


if __name__ == "__main__":
    main()
