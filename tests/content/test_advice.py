"""What is worth another look in a play: told with the matrix, and never a reason not to send."""

from pathlib import Path

import pytest

from accounts.advice import Advice, advise
from accounts.playfiles import load_play
from tests.plays import small_play, step

GOOD = " ".join(["word"] * 100)


def says(**changes: object) -> list[str]:
    mail = step("discovery/a", "champion").model_copy(update={"subject": "What waiting costs", "body": GOOD, **changes})
    return [one.says for one in advise(small_play(steps=(mail,)))]


def test_the_play_that_comes_with_tandem_keeps_its_own_advice() -> None:
    assert advise(load_play(Path("templates/plays/new-business"))) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"subject": "x" * 60}, []),
        ({"subject": "x" * 61}, ["the subject has about 61 letters, and 60 are read everywhere"]),
        ({"subject": "{{ account.name or 'you, whoever you are, and wherever you may be' }}: what it costs"}, []),
        ({"preheader": "x" * 91}, ["the preheader has about 91 letters, and 90 are read everywhere"]),
        ({"body": "word " * 80}, []),
        ({"body": "word " * 79}, ["the text has 79 words; 80 to 180 are read to the end"]),
        ({"body": "word " * 181}, ["the text has 181 words; 80 to 180 are read to the end"]),
        ({"body": "{% if a %} " + "word " * 179 + "[read](https://a b c) {# a note #}{% endif %}"}, []),
    ],
)
def test_letters_and_words_are_counted_as_a_reader_would(changes: dict[str, object], told: list[str]) -> None:
    assert says(**changes) == told


def test_a_step_that_waits_for_one_that_nobody_wrote_is_told_by_role() -> None:
    first, third = step("discovery/a", "champion legal", 1), step("discovery/c", "champion legal", 3)
    second = step("discovery/b", "legal", 2)
    mails = [mail.model_copy(update={"body": GOOD}) for mail in (first, second, third)]
    assert advise(small_play(steps=tuple(mails))) == (
        Advice(third.key, "is step 3 for champion, and there is no step 2"),
    )
