"""Tokens: whoever has one can do the one thing it was made for, and nobody can make one."""

from base64 import urlsafe_b64decode
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flows.tokens import (
    Clicked,
    Returned,
    message_id,
    return_path,
    returned,
    sign,
    sign_click,
    sign_until,
    touch_of,
    verify,
    verify_click,
    verify_until,
)  # fmt: skip

SECRET = "a secret of the house"
ids = st.integers(0, 2**63 - 1)


@given(ids)
def test_a_token_gives_back_what_was_signed(id: int) -> None:
    assert verify("unsubscribe", sign("unsubscribe", id, SECRET), SECRET) == id


@given(ids, st.integers(0, 99))
def test_a_click_names_the_touch_and_the_link(id: int, link: int) -> None:
    assert verify_click(sign_click(id, link, SECRET), SECRET) == Clicked(id, link)


@given(ids, st.text(max_size=60))
def test_nothing_else_is_taken(id: int, text: str) -> None:
    token = sign("unsubscribe", id, SECRET)
    assert verify("veto", token, SECRET) is None, "another purpose"
    assert verify("unsubscribe", token, SECRET + "!") is None, "another house"
    assert verify("unsubscribe", text, SECRET) is None
    assert verify_click(text, SECRET) is None
    assert verify_click(token, SECRET) is None
    assert touch_of(text, SECRET) is None


@given(ids, st.integers(0, 200), st.characters())
def test_a_changed_token_is_not_taken(id: int, at: int, letter: str) -> None:
    token = sign("unsubscribe", id, SECRET)
    at %= len(token)
    changed = token[:at] + letter + token[at + 1 :]
    assert verify("unsubscribe", changed, SECRET) == (id if changed == token else None)
    assert verify("unsubscribe", token + letter, SECRET) is None


@given(ids, st.integers(0, 99), st.dates(date(2020, 1, 1), date(2100, 1, 1)), st.integers(-400, 400))
def test_a_token_with_a_last_day_opens_until_then_and_no_longer(id: int, link: int, day: date, later: int) -> None:
    token = sign_until("asset", day, SECRET, id, link)
    today = day + timedelta(days=later)
    assert verify_until("asset", token, today, SECRET) == ((id, link) if later <= 0 else None)
    assert verify_until("preferences", token, day, SECRET) is None
    assert verify_until("asset", token, day, SECRET + "!") is None
    assert verify("asset", token, SECRET) is None, "nor does it pass for one without a last day"


@given(st.text(max_size=60))
def test_what_was_never_signed_has_no_last_day(text: str) -> None:
    assert verify_until("asset", text, date(2026, 11, 24), SECRET) is None


def test_a_token_is_short_and_good_in_a_url() -> None:
    token = sign_click(2**40, 3, SECRET)
    assert len(token) <= 40
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_holds_ids_and_nothing_else() -> None:
    token = sign_click(4711, 2, SECRET)
    assert urlsafe_b64decode(token + "=" * (-len(token) % 4))[12:] == b"4711.2"


@given(ids)
def test_a_message_id_leads_back_to_its_touch(id: int) -> None:
    ours = message_id(id, SECRET, "mail.example")
    assert ours.startswith(f"<tandem.{id}.")
    assert ours.endswith("@mail.example>")
    assert touch_of(ours, SECRET) == id
    assert touch_of(f" {ours}\t", SECRET) == id
    assert touch_of(ours.replace(f".{id}.", f".{id + 1}."), SECRET) is None
    assert touch_of(ours, "another house") is None


@given(ids, st.sampled_from(["touch", "brief"]))
def test_a_return_path_says_which_mail_came_back(id: int, about: Any) -> None:
    ours = return_path(about, id, SECRET, "mail.example")
    assert returned(ours, SECRET) == Returned(about, id)
    assert returned(f"<{ours.upper()}>", SECRET) == Returned(about, id), "some servers write capitals"
    assert len(ours.partition("@")[0]) <= 64
    assert ours.partition("@")[0].replace("+", "").isalnum()
    assert returned(ours, "another house") is None


@given(ids, st.integers(0, 200), st.characters(), st.text(max_size=60))
def test_a_return_path_that_is_not_ours_says_nothing(id: int, at: int, letter: str, text: str) -> None:
    ours = return_path("touch", id, SECRET, "mail.example")
    at %= ours.index("@")
    changed = ours[:at] + letter + ours[at + 1 :]
    assert returned(changed, SECRET) == (Returned("touch", id) if changed.lower() == ours else None)
    assert returned(f"bounce+{text}@mail.example", SECRET) is None
    assert returned(text, SECRET) is None
    assert returned(f"bounce+{sign('return-touch', id, SECRET)}@mail.example", SECRET) is None
