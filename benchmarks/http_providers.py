"""Mail over HTTP providers, against a bare requests.Session that posts the same bodies to the same place.

The place is a server of a few lines in a process of its own: it takes every request and says what the provider would.
The limit posts bodies that were written beforehand over one kept connection and looks at the status. The product writes
the body from the letter (or wraps up the finished message), posts it, and reads the answer. All take turns; medians of
`--rounds`, each over `--messages` messages of about 6 KB of the real play. Where a provider takes several messages a
call, calls of `--call` messages stand beside calls of one. SES signs its requests through boto3, which is its limit.

    python benchmarks/http_providers.py [--rounds 7] [--messages 300] [--call 100] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import requests
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from accounts.playfiles import load_play
from benchmarks.compose import CONTENT, people
from flows.channels.email import EmailChannel, Outgoing, Sent
from flows.channels.email.http_line import Line
from flows.channels.email.mailgun import Mailgun
from flows.channels.email.postmark import Postmark
from flows.channels.email.resend import Resend
from flows.channels.email.sendgrid import SendGrid
from flows.channels.email.ses import Ses
from flows.content.mailing import compose_touch, letter_touch, open_mailroom
from flows.providers import Mailgun as MailgunSettings
from flows.providers import Postmark as PostmarkSettings
from flows.providers import Resend as ResendSettings
from flows.providers import SendGrid as SendGridSettings
from flows.providers import Ses as SesSettings
from flows.settings import TEMPLATES, Settings

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SINGLE, CALL = 0.9, 10.0
ACCEPTED = {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a-e38e-4336-af7d-e6c392c2f817"}
#: Where a request goes -> what it is told; `many`: for each message in it.
ONE = {
    "/v3/mail/send": (202, b""),
    "/email": (200, json.dumps(ACCEPTED).encode()),
    "/v3/mail.example/messages.mime": (200, b'{"id": "<a@mail.example>", "message": "Queued. Thank you."}'),
    "/emails": (200, b'{"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}'),
    "/v2/email/outbound-emails": (200, b'{"MessageId": "0100019234"}'),
}
MANY: dict[str, Callable[[int], object]] = {
    "/email/batch": lambda count: [ACCEPTED] * count,
    "/emails/batch": lambda count: {"data": [{"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}] * count},
}


class Taker(asyncio.Protocol):
    """Takes requests on one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._line, self._got = transport, bytearray()

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(self._got) < end + 4 + length:
            return
        path = self._got.split(b" ", 2)[1].decode()
        self._say(*self._answer(path, bytes(self._got[end + 4 : end + 4 + length])))
        del self._got[: end + 4 + length]

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path in MANY:
            return 200, json.dumps(MANY[path](body.count(b'"touch-'))).encode()
        return ONE[path]

    def _say(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} OK\r\nX-Message-Id: 14c5d75ce93\r\nContent-Type: application/json\r\n"
        self._line.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def take(told: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def provider() -> Iterator[str]:
    """The address of a server that takes everything."""
    hears, tells = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=take, args=(tells,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{hears.recv()}"
    finally:
        process.terminate()
        process.join()


def channels(url: str) -> list[EmailChannel]:
    key = SecretStr("key-of-the-benchmark")
    ses = SesSettings(region="eu-west-1", access_key_id="AKIA", secret_access_key=key, endpoint_url=url)
    return [
        SendGrid(SendGridSettings(key=key, base_url=url)),
        Postmark(PostmarkSettings(token=key, base_url=url)),
        Mailgun(MailgunSettings(key=key, base_url=url), "mail.example"),
        Ses(ses),
        Resend(ResendSettings(key=key, base_url=url)),
    ]


def letters(channel: EmailChannel, count: int) -> list[Outgoing]:
    """Messages as sending hands them over, for different people."""
    settings = Settings(templates=TEMPLATES, base_url="https://t.example", sending_domain="mail.example")
    room = open_mailroom(settings, load_play(TEMPLATES / "plays" / "new-business"), only=CONTENT)
    write = letter_touch if channel.letters else compose_touch
    mails = [write(room, person, NOW) for person in people(count, room.compiled.content(CONTENT).step.digest)]
    return [
        Outgoing(
            mail.envelope.message_id, mail.envelope.return_path, mail.envelope.recipient.address, mail.raw, mail.letter,
            f"touch-{mail.touch_id}",
        )
        for mail in mails
    ]  # fmt: skip


#: A request that was written beforehand: address, body, headers.
Written = tuple[str, bytes, dict[str, str]]


def written(channel: EmailChannel, messages: Sequence[Outgoing], url: str) -> list[Written]:
    """The very requests the channel makes, caught on their way to the line."""
    caught: list[Written] = []
    post = Line.post

    def catch(line: Line, path: str, content: bytes, headers: dict[str, str]) -> Any:
        request = line._request("POST", path)
        caught.append((url + path, content, {**request.headers, **headers}))
        return post(line, path, content, headers)

    Line.post = catch  # type: ignore[method-assign,assignment]
    try:
        for message in messages:
            channel.send(message)
    finally:
        Line.post = post  # type: ignore[method-assign]
    return caught


def bare(requests_: Sequence[Written]) -> Callable[[], None]:
    session = requests.Session()

    def post() -> None:
        for url, content, headers in requests_:
            session.post(url, data=content, headers=headers, timeout=(10, 30)).raise_for_status()

    return post


def bare_boto(channel: Ses, messages: Sequence[Outgoing]) -> Callable[[], None]:
    asked = [channel._request(message) for message in messages]

    def send() -> None:
        for one in asked:
            channel._client.send_email(**one)

    return send


def one_by_one(channel: EmailChannel, messages: Sequence[Outgoing]) -> Callable[[], None]:
    def send() -> None:
        for message in messages:
            channel.send(message)

    return send


def by_call(channel: EmailChannel, messages: Sequence[Outgoing], size: int) -> Callable[[], None]:
    def send() -> None:
        for start in range(0, len(messages), size):
            answers = channel.send_many(messages[start : start + size])
            assert all(isinstance(answer, Sent) for answer in answers)

    return send


def measure(rounds: int, count: int, call: int) -> dict[str, dict[str, float]]:
    """Provider -> microseconds a message: bare, product, and in calls of several."""
    found: dict[str, dict[str, float]] = {}
    with provider() as url, ExitStack() as house:
        for channel in channels(url):
            house.enter_context(channel)
            messages = letters(channel, count)
            ways = {"bare": bare_boto(channel, messages)} if isinstance(channel, Ses) else {}
            ways = ways or {"bare": bare(written(channel, messages, url))}
            ways["product"] = one_by_one(channel, messages)
            if channel.most > 1:
                ways["calls"] = by_call(channel, messages, min(call, channel.most))
            found[channel.name] = clocked(ways, rounds, count)
    return found


def clocked(ways: dict[str, Callable[[], None]], rounds: int, count: int) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # connections are open, caches are warm
    for _ in range(rounds):
        for name, way in ways.items():
            started = perf_counter()
            way()
            spent[name].append((perf_counter() - started) / count * 1e6)
    return {name: median(times) for name, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--call", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.rounds, asked.messages, asked.call)
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for name, times in found.items():
        single = times["bare"] / times["product"]
        limit = "boto3" if name == "ses" else "requests.Session"
        print(
            f"{name:9} {times['bare']:8.0f} us bare {limit}, {times['product']:6.0f} us product: {said(single, SINGLE)}"
        )
        if "calls" in times:
            many, own = said(times["bare"] / times["calls"], CALL), times["product"] / times["calls"]
            print(f"{'':9} {times['calls']:8.0f} us product, {asked.call} a call: {many}; {own:.1f}x one a call")


def said(ratio: float, target: float) -> str:
    return f"{ratio:.2f}, target {target}: {'reached' if ratio >= target else 'MISSED'}"


if __name__ == "__main__":
    main()
