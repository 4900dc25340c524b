"""Promise 2, 3 and 5 under chaos, in short: a few histories, and one protection removed. `make chaos` is the
long version."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.doors import judge
from tests.chaos.history import Database, draw
from tests.chaos.sabotage import SABOTAGES

ROOT = Path(__file__).parents[2]
HISTORIES = 6

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl"),
    pytest.mark.timeout(300),  # a fifth of a minute on an idle machine; kills take their time on a busy one
]


def chaos(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and this one may have threads."""
    command = [sys.executable, "-m", "tests.chaos", "--keep", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Histories on both databases, then one sabotage; in one lane, each of which starts a server of its own."""
    orders = ("--seed", "9000", "--histories", str(HISTORIES), "--sabotage", "silent-journal", "--lanes", "1")
    return chaos(tmp_path_factory.mktemp("chaos"), *orders, "--doors", "1")


def test_no_letter_twice_none_lost_and_every_no_heard_whatever_is_killed(
    said: subprocess.CompletedProcess[str],
) -> None:
    """Promises 2, 3 and 5, from the mail server's own record."""
    assert f"{HISTORIES} histories in" in said.stdout, said.stdout + said.stderr
    assert "guilty: none" in said.stdout, said.stdout


def test_a_protection_that_is_removed_is_found_out(said: subprocess.CompletedProcess[str]) -> None:
    assert "silent-journal: found out by" in said.stdout, said.stdout + said.stderr


def test_what_the_doors_of_the_web_app_answered_is_kept(said: subprocess.CompletedProcess[str]) -> None:
    """On SQLite; in long on both, and tests/web/test_killed.py in short."""
    assert re.search(r"doors: 1 lives on sqlite: [1-9]\d* answers kept,.* guilty: none", said.stdout), said.stdout


def test_an_answer_that_was_lost_or_kept_twice_is_found_out() -> None:
    kept = Counter({"a": 1, "b": 2, "nobody was told": 1})
    assert judge({"click": {"a"}, "pixel": set()}, Counter(a=1)) == []
    assert judge({"click": {"a", "c"}}, kept) == ["click: 1 answered and lost, c first", "b is there 2 times"]


def test_the_same_seed_draws_the_same_history() -> None:
    assert draw(7) == draw(7) != draw(8)
    assert {draw(seed).database for seed in (7, 8)} == set(Database)


def test_every_sabotage_is_in_the_docs() -> None:
    """With what it takes away, and what comes of it."""
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    assert [name for name in SABOTAGES if f"| `{name}` |" not in page] == []
