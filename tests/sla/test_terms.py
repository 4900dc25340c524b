"""The promises in play.yaml: read with the rest, refused with their line."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from accounts.errors import ContentRefused
from accounts.playfiles import load_play
from accounts.sla.causes import PROMISE_OF
from accounts.vocabulary import Duty
from flows.settings import TEMPLATES
from tests.content.desk import lay_out

OURS = TEMPLATES / "plays" / "new-business"


def play_with(folder: Path, terms: str) -> Path:
    play = lay_out(folder)
    path = play / "play.yaml"
    path.write_text(path.read_text("utf-8") + f"\nsla:\n{terms}\n", "utf-8")
    return play


def test_what_the_play_says_is_what_counts(tmp_path: Path) -> None:
    terms = '  hours: { days: [sun, mon], opens: "08:30", closes: "16:00" }\n  sales_answer: 4h\n  warn_at: [60]'
    sla = load_play(play_with(tmp_path, terms)).sla
    assert (sla.hours.days, sla.hours.opens, sla.hours.closes) == (("sun", "mon"), time(8, 30), time(16))
    assert (sla.sales_answer, sla.marketing_list, sla.warn_at) == (timedelta(hours=4), timedelta(hours=8), (60,))


def test_our_play_names_every_promise_and_every_duty_has_one() -> None:
    text = (OURS / "play.yaml").read_text("utf-8")
    assert set(PROMISE_OF) == set(Duty)
    assert all(f"\n  {promise}: " in text for promise in PROMISE_OF.values())
    assert load_play(OURS).sla.marketing_owner == "marketing@lumenflow.example"


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("  sales_answer: 0h", "sales_answer is no time at all"),
        ("  marketing_list: 0d", "marketing_list is no time at all"),
        ("  sales_anser: 8h", "sales_answer"),
        ("  hours: { days: [] }", "days is empty"),
        ('  hours: { opens: "17:00", closes: "09:00" }', "work ends before it begins"),
        ("  warn_at: [80, 50]", "cannot warn at"),
        ("  warn_at: [100]", "cannot warn at"),
        ("  marketing_owner: marketing", "is not an e-mail address"),
    ],
)
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, terms: str, words: str) -> None:
    play = play_with(tmp_path, terms)
    line = len((play / "play.yaml").read_text("utf-8").splitlines())
    with pytest.raises(ContentRefused, match=words) as refused:
        load_play(play)
    assert refused.value.where is not None
    assert refused.value.where.endswith(f"play.yaml:{line}")
