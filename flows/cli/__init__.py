"""The command line: `tandem …`. One module per command group, imported only when its command is called.

`tandem --help` must stay under 0.3 s, so this file imports nothing heavy and COMMANDS names what lives where.
"""

import sys
from errno import EDQUOT, ENOSPC
from importlib import import_module
from typing import Any

import click

from accounts.errors import Refused, TandemError

#: command -> (module below flows.cli, function, one line of help shown without importing the module)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "Build a believable world and run three weeks of it."),
    "init": ("house", "init", "Create or upgrade the database."),
    "doctor": ("house", "doctor", "Check everything Tandem needs; one line each, with the cure."),
    "status": ("status", "status", "How it is going: what came in, what waits, what needs a person."),
    "dns": ("dns", "dns", "What to publish so that mail is believed, and whether it is."),
    "backup": ("backup", "backup", "The whole ledger into one file, while everything goes on."),
    "restore": ("backup", "restore", "The ledger from such a file, on either database."),
    "database": ("database", "database", "For who looks after PostgreSQL: roles with the least rights."),
    "up": ("house", "up", "Prefect's server, the web app and the scheduled flows, until Ctrl-C."),
    "deploy": ("deploy", "deploy", "Bring Prefect's deployments and automations in line with the files."),
    "import": ("data", "import_", "Read CRM exports: accounts, people, opportunities, activities."),
    "quarantine": ("data", "quarantine", "List rows that could not be taken, and retry them."),
    "run": ("run", "run", "Run a flow now: track, nurture, audiences, signals, briefs."),
    "plan": ("planning", "plan", "Who gets what and when, and why not; with a number: who got that plan."),
    "why": ("planning", "why", "One sentence: why this person gets this, or does not."),
    "late": ("planning", "late", "Steps that came too late to be sent unasked: send or skip them."),
    "preview": ("content", "preview", "Open an e-mail as a stakeholder would get it."),
    "content": ("content", "content", "The stage x role matrix: gaps, expiry, people waiting."),
    "roads": ("roads", "roads", "By which channels a rep gets briefs, and how the last ones went."),
    "rhythm": ("rhythm", "rhythm", "How often a rep wants a brief, and at which hour of their day."),
    "brief": ("brief", "brief", "A rep's brief, as it would be sent."),
    "hold": ("reps", "hold", "Stop nurturing an account or a person until a day."),
    "release": ("reps", "release", "End a hold."),
    "stop": ("reps", "stop", "Kill switch: everything, a play, an account, a rep, a domain."),
    "veto": ("reps", "veto", "A rep's no: one content, or all mail, for a person."),
    "feedback": ("reps", "feedback", "A rep's word: ripe, not yet, wrong person, bad timing."),
    "delay": ("answers", "delay", "Let one e-mail to a person wait until a day."),
    "first-mail": ("answers", "first_mail", "A rep's yes to the first e-mail of an account."),
    "seat": ("answers", "seat", "Who has a seat of the buying group: one of it, or somebody new."),
    "person": ("answers", "person", "Correct what we know of a person, or add somebody."),
    "claim": ("answers", "claim", "A person who stands in several accounts belongs to this one."),
    "objection": ("answers", "objection", "What buyers hold against us, or want to hear about."),
    "lease": ("answers", "lease", "The account is yours: limits for marketing while you work it."),
    "wrong-line": ("answers", "wrong_line", "A line of a brief is wrong."),
    "wrong-lines": ("wrong_lines", "wrong_lines", "Lines of briefs that reps called wrong, and what is true."),
    "sla": ("sla", "sla", "Who owes what to whom, sales and marketing, and by when."),
    "calibrate": ("calibrating", "calibrate", "How far scores agree with reps; propose and adopt other weights."),
    "approve": ("sending", "approve", "Let a held send plan go, or reject it."),
    "touches": ("sending", "touches", "What was sent, failed, expired, or is not known."),
    "settle": ("sending", "settle", "Say whether an unknown touch was sent or not."),
    "signal": ("signals", "signal", "Add a signal by hand, or read a file of them."),
    "proposals": ("proposals", "proposals", "People who may belong to a group: accept or reject them."),
    "forget": ("privacy", "forget", "Erase a person; the suppression stays as a hash."),
    "export": ("privacy", "export", "Everything we hold about a person, as JSON."),
    "audit": ("privacy", "audit", "Who did what; --verify walks the chain."),
    "audiences": ("audiences", "audiences", "Ad audiences: wanted, confirmed, and too small to serve."),
    "watch": ("mailbox", "watch", "Read the reply mailbox the moment mail comes."),
    "away": ("away", "away", "A rep is away, and who stands in; or back again."),
    "links": ("links", "links", "Links by which reps answer: a fresh one, or the end of all."),
    "serve": ("serve", "serve", "The web app: tracked links, unsubscribing, reps' pages, webhooks."),
}

#: The help's headings, and what stands below each: by who asks, in the order in which they meet it.
SECTIONS = {
    "To begin": ("demo", "init", "doctor", "import", "quarantine", "up", "status"),
    "Who gets what": ("plan", "why", "late", "preview", "content", "approve", "touches", "settle", "stop", "audiences"),
    "What a rep says": (
        "hold", "release", "veto", "delay", "first-mail", "feedback", "seat", "person", "claim", "objection", "lease",
        "wrong-line", "away",
    ),
    "What a rep gets": ("brief", "rhythm", "roads", "links"),
    "What comes back": ("signal", "proposals", "wrong-lines", "sla", "calibrate"),
    "What is known of people": ("export", "forget", "audit"),
    "To run it": ("run", "serve", "watch", "deploy", "dns", "backup", "restore", "database"),
}  # fmt: skip


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(f"flows.cli.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<11}", COMMANDS[name][2]) for name in names])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tandem-abm", prog_name="tandem")
def tandem() -> None:
    """Tandem keeps marketing beside sales: from first contact to the signature.

    Start with `tandem demo`, then open what it names.
    """


def main() -> Any:
    """Entry point: our own errors, files that cannot be opened or written, and a database that does not answer become
    one line and an exit code."""
    try:
        return tandem(standalone_mode=True)
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
    click.echo(f"tandem: {refusal}", err=True)
    sys.exit(refusal.exit_code)


def _refusal(error: Exception) -> TandemError | None:
    """The error in one line; None for one that is a mistake of ours."""
    if isinstance(error, TandemError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return Refused(str(error.strerror), where=str(error.filename), cure="check the path, and who may use it")
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return Refused(str(error.strerror), cure="make room on the disk: tandem doctor says which")
    if type(error).__module__ == "sqlalchemy.exc":
        from sqlalchemy.exc import OperationalError

        from accounts.ledger.engine import unanswered

        return unanswered(error, "the database") if isinstance(error, OperationalError) else None
    return None
