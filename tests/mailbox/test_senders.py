"""Whole mails as Exchange, Exim, Postfix, qmail, Gmail, Notes, ticket systems and people's programs write them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from flows.mailbox import Kind, understand
from flows.mailbox.optouts import asks_for_no_more

SENDERS = Path(__file__).with_name("senders")
LABELS: dict[str, dict[str, Any]] = tomllib.loads(SENDERS.with_suffix(".toml").read_text("utf-8"))


def test_every_mail_has_a_label_and_every_label_a_mail() -> None:
    assert {file.stem for file in SENDERS.glob("*.eml")} == set(LABELS)


@pytest.mark.parametrize("name", LABELS)
def test_a_mail_is_understood_whole(name: str) -> None:
    label = LABELS[name]
    found = understand((SENDERS / f"{name}.eml").read_bytes())
    assert found.kind == label["kind"]
    if found.kind is Kind.BOUNCE:
        assert found.bounce is not None
        assert found.bounce.action == label["action"]
        assert found.bounce.recipient == label["recipient"]
        assert found.bounce.is_hard == label.get("hard", found.bounce.is_hard)
    if "back" in label:
        assert (found.back_at.date().isoformat() if found.back_at else "") == label["back"]
    if "follows" in label:
        assert found.departure is not None
        assert found.departure.address == label["follows"]
    if found.kind is Kind.REPLY:
        assert label.get("words", "") in found.words
        assert "quoted" not in label or label["quoted"] not in found.words
        assert bool(asks_for_no_more(found.words)) == label.get("no_more", False)
