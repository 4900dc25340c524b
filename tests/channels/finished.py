"""A finished message of a few lines, for channels that take bytes."""

from flows.channels.email import Outgoing


def letter(number: int = 17, subject: str = "Why now", body: str = "Hello Dana,\r\n.\r\n..dots\r\n") -> Outgoing:
    message_id = f"<tandem.{number}.5d41402abc4b2a76@mail.example>"
    head = f"From: Ravi <ravi@mail.example>\r\nTo: dana@acme.example\r\nSubject: {subject}\r\n"
    dated = f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n"
    content = f"{head}{dated}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}".encode()
    return Outgoing(message_id, "bounce+17@mail.example", "dana@acme.example", content)
