"""What is special about the channels that write nobody: the outbox and memory."""

from pathlib import Path

import pytest

from accounts.errors import NotSent, Unreachable
from flows.channels.email import Outgoing
from flows.channels.email.memory import Memory
from flows.channels.email.outbox import Outbox, file_name
from tests.channels.finished import letter


def test_a_message_sent_again_finds_itself_already_there(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        first, again = outbox.send(letter()), outbox.send(letter())
    assert first == again
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_file_names_are_safe_sorted_and_never_shared() -> None:
    names = [file_name(f"<tandem.{number}.abc@mail.example>") for number in (9, 10, 1000)]
    assert names == sorted(names)
    odd = [
        "<../../etc/passwd@x>",
        "<.hidden@x>",
        "<@x>",
        "<a b\n@x>",
        "<Ä@x>",
        "<" + "long" * 99 + "@x>",
        "<a@x>",
        "<A@x>",
    ]
    safe = [file_name(message_id) for message_id in odd]
    assert len({name.lower() for name in safe}) == len(odd)
    for name in safe:
        assert name[0].isalnum()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"), name
        assert len(name) < 120


def test_the_index_lists_who_what_and_when_and_links_to_page_and_file(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        outbox.send(letter(1, subject="First"))
        outbox.send(letter(2, subject="Second"))
    index = (tmp_path / "index.html").read_text()
    assert "2 messages" in index
    for shown in ("dana@acme.example", "First", "Second", "2026-11-24 10:00", file_name(letter(1).message_id)):
        assert shown in index
    assert index.index("Second") < index.index("First"), "newest first"


def test_a_message_can_be_read_as_its_reader_sees_it_and_cannot_do_anything(tmp_path: Path) -> None:
    html = "<h1>Hi</h1><script>alert(1)</script><a href='https://x.example'>\"go\"</a>"
    parts = (("plain", "plain <text>"), ("html", html))
    body = "".join(f"--b\r\nContent-Type: text/{kind}\r\n\r\n{part}\r\n" for kind, part in parts) + "--b--\r\n"
    message = letter(subject="<script>alert(2)</script>", body=body)
    kind = (b"Content-Type: text/plain; charset=utf-8", b"Content-Type: multipart/alternative; boundary=b")
    with Outbox(tmp_path) as outbox:
        outbox.send(Outgoing(message.message_id, message.sender, message.recipient, message.content.replace(*kind)))
    (page,) = [path.read_text() for path in tmp_path.glob("tandem*.html")]
    assert '<iframe sandbox srcdoc="&lt;h1&gt;Hi&lt;/h1&gt;' in page
    assert "plain &lt;text&gt;" in page
    assert "<script" not in page + (tmp_path / "index.html").read_text()


def test_the_files_decide_what_is_listed_whatever_was_killed_in_between(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        outbox.send(letter(1))
    outbox.send(letter(2))  # killed before its page was written
    (tmp_path / file_name(letter(1).message_id)).unlink()
    (tmp_path / ".half.eml.123").write_bytes(b"half a message of a killed process")
    with outbox:
        pass
    index = (tmp_path / "index.html").read_text()
    assert "1 message" in index
    assert file_name(letter(1).message_id) not in index
    assert len(list(tmp_path.glob("tandem*.html"))) == 1


def test_an_index_that_was_broken_is_made_anew(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        outbox.send(letter(1))
    (tmp_path / "index.json").write_text("{half")
    with outbox:
        outbox.send(letter(2))
    assert "2 messages" in (tmp_path / "index.html").read_text()


def test_an_outbox_that_cannot_be_written_says_where_and_how_to_mend_it(tmp_path: Path) -> None:
    in_the_way = tmp_path / file_name(letter().message_id)
    in_the_way.mkdir()
    with pytest.raises(Unreachable, match=r"cannot be written.*check space and rights"):
        Outbox(tmp_path).send(letter())


def test_memory_can_play_a_difficult_server() -> None:
    def moody(message: Outgoing) -> None:
        raise NotSent("greylisted", permanent=False)

    with Memory(moody) as memory, pytest.raises(NotSent, match="greylisted"):
        memory.send(letter())
    assert memory.sent == []
