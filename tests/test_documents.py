"""What the pages for people name is there: commands with their options, settings; and each command's own manual."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flows.cli import COMMANDS, SECTIONS, tandem
from flows.setting_words import variables_of
from flows.settings import Settings

PAGES = sorted([*Path("docs").rglob("*.md"), Path("README.md"), Path("templates/README.md")])
#: A command between backticks or on a line of its own; variables before it, and what stands behind it, are no part.
CALLED = re.compile(r"`(?:[A-Z_]+=\S+ )*tandem ([^`]+)`|^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*tandem (?!\s)(.+)$", re.MULTILINE)
BEHIND = re.compile(r"\s{2,}|\s[|#]|&&|;")


def calls(page: Path) -> Iterator[list[str]]:
    for found in CALLED.finditer(page.read_text(encoding="utf-8")):
        yield shlex.split(BEHIND.split(found[1] or found[2])[0].rstrip(". ").replace("…", "x"))


def follow(words: list[str], command: click.Command, context: click.Context) -> None:
    """Down to the command that is meant; raises UsageError for a command or an option that there is not.

    An option may be named without its value, as sentences do.
    """
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            raise click.UsageError(f"no command {words[0]}", context)
        follow(words[1:], inner, click.Context(inner, context, info_name=words[0]))
        return
    named = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in named | {"--version"}:
            raise click.UsageError(f"no option {word}", context)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_that_a_page_names_is_there_with_its_options(page: Path) -> None:
    for words in calls(page):
        follow(words, tandem, click.Context(tandem, info_name="tandem"))


def test_pages_call_commands_at_all() -> None:
    assert sum(1 for page in PAGES for _ in calls(page)) > 100


@pytest.mark.parametrize("wrong", ["hold acme --forever", "embrace acme", "quarantine burn 3"])
def test_what_is_not_there_is_found_out(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        follow(wrong.split(), tandem, click.Context(tandem))


def test_every_variable_that_a_page_names_is_a_setting() -> None:
    known = variables_of(Settings, "TANDEM_")
    named = {
        name for page in PAGES for name in re.findall(r"\bTANDEM_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))
    }
    assert named <= set(known)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_manual_of_each_command_has_a_line_to_paste(name: str) -> None:
    """Where a command has commands below it, theirs may stand for it."""
    command = tandem.get_command(click.Context(tandem), name)
    assert command is not None
    below = command.commands.values() if isinstance(command, click.Group) else ()
    manual = " ".join(one.help or "" for one in (command, *below))
    assert re.search(rf"Example: (?:[A-Z_]+=\S+ )*tandem {name}\b", manual)


def test_the_help_names_each_command_below_one_heading() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)
    shown = CliRunner().invoke(tandem, ["--help"]).output
    assert all(f"\n{heading}:\n" in shown for heading in SECTIONS)
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in COMMANDS)


def test_lists_of_commands_are_not_cut_short() -> None:
    for name in COMMANDS:
        command = tandem.get_command(click.Context(tandem), name)
        assert command is not None
        assert "..." not in command.get_help(click.Context(command, terminal_width=80)).partition("\nCommands:")[2]


@pytest.mark.parametrize("time", ["tomorrow", "2026-02-30", "9999-12-31T23:59-12:00", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_wrong_usage_with_an_example(time: str) -> None:
    said = CliRunner().invoke(tandem, ["plan", "--as-of", time])
    assert said.exit_code == 2
    assert f"{time!r} is not a time; write 2026-11-22" in " ".join(said.output.split())
