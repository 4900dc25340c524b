"""Amazon's certificates: only its own are asked for, each once; whoever names one that cannot be had holds up few."""

import json
import threading
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest

from flows.webhooks import Forged, Later
from flows.webhooks.certificates import MOST_CERTIFICATES, MOST_OCTETS, WAITING, Certificates, fetch
from flows.webhooks.sns import Door as Topic
from tests.cast import NOW
from tests.channels.servers import Api, Asked, Said, at_work
from tests.webhooks import senders
from tests.webhooks.senders import Request
from tests.webhooks.test_verifiers import takes

MANY = 20


def named(number: int) -> str:
    return f"{senders.HOST}/SimpleNotificationService-{number:032x}.pem"


def test_few_wait_for_certificates_and_the_others_come_again() -> None:
    """Each post waits in one of the threads that answer the pages as well."""
    amazon, outcomes = threading.Event(), Queue[str]()

    def fetch(url: str) -> bytes:
        amazon.wait()
        return senders.amazon()[1]

    certificates = Certificates(fetch)

    def post(number: int) -> None:
        try:
            certificates.key(named(number), NOW)
            outcomes.put("known")
        except Later:
            outcomes.put("later")

    posts = [threading.Thread(target=post, args=(number,), daemon=True) for number in range(MANY)]
    for one in posts:
        one.start()
    assert {outcomes.get(timeout=60) for _ in range(MANY - WAITING)} == {"later"}, "while Amazon has not answered"
    amazon.set()
    assert [outcomes.get(timeout=60) for _ in range(WAITING)] == ["known"] * WAITING
    for one in posts:
        one.join()


def test_who_waited_for_the_same_certificate_does_not_ask_again() -> None:
    amazon, asked = threading.Event(), Queue[str]()

    def fetch(url: str) -> bytes:
        asked.put(url)
        amazon.wait()
        return senders.amazon()[1]

    certificates = Certificates(fetch)
    posts = [threading.Thread(target=certificates.key, args=(named(1), NOW), daemon=True) for _ in range(WAITING)]
    for one in posts:
        one.start()
    assert asked.get(timeout=60) == named(1)
    amazon.set()
    for one in posts:
        one.join()
    assert asked.empty()


def test_after_a_certificate_that_cannot_be_had_there_is_room_for_the_next() -> None:
    def fetch(url: str) -> bytes:
        if url == named(0):
            return senders.amazon()[1]
        raise Later("Amazon answered 404")

    certificates = Certificates(fetch)
    for number in range(1, 2 * WAITING):
        with pytest.raises(Later):
            certificates.key(named(number), NOW)
    assert certificates.key(named(0), NOW).public_numbers() == senders.amazon()[0].public_key().public_numbers()


def test_a_certificate_that_is_over_proves_nothing_and_is_asked_for_again() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return senders.amazon()[1]

    certificates = Certificates(fetch)
    for _ in range(2):
        with pytest.raises(Forged):
            certificates.key(named(0), NOW + timedelta(days=2_000))
    assert asked == [named(0)] * 2, "Amazon may show a newer one there"


#: What Amazon calls its certificates.
PEM = "SimpleNotificationService-0123456789ab.pem"


@pytest.mark.parametrize(
    "change",
    [
        {"SigningCertURL": f"{senders.HOST}.evil.example/{PEM}"},
        {"SigningCertURL": f"{senders.HOST.replace('https', 'http')}/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}@evil.example/{PEM}"},
        {"SigningCertURL": f"{senders.HOST.replace('eu-west-1', 'us-east-1')}/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}/latest/evil.pem"},
        {"SigningCertURL": f"{senders.HOST}:8443/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}:443/{PEM}"},
        {"SigningCertURL": f"{senders.HOST.replace('://', '://somebody@')}/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}/{PEM}".replace("sns", "\uff53ns", 1)},
        {"SigningCertURL": f"{senders.HOST}\\.evil.example/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}/{PEM}#1"},
        {"SigningCertURL": f"{senders.HOST}/{PEM}?"},
        {"SigningCertURL": f" {senders.HOST}/{PEM}"},
        {"SigningCertURL": f"{senders.HOST}//evil.example/{PEM}"},
        {"SigningCertURL": None},
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:somebody-elses"},
        {"TopicArn": None},
        {"Type": "Invitation"},
        {"SignatureVersion": "3"},
    ],
)  # fmt: skip
def test_nothing_is_fetched_for_an_envelope_that_names_another_place(change: dict[str, Any]) -> None:
    """Everybody can have a topic, and a certificate on a host of their own."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return senders.amazon()[1]

    envelope = senders.envelope("{}", **{k: v for k, v in change.items() if v is not None and k != "Type"})
    envelope.update(change)
    assert not takes(Topic([senders.TOPIC], fetch), Request("ses", {}, json.dumps(envelope).encode()))
    assert asked == ([] if "SignatureVersion" not in change else [senders.CERTIFICATE_URL])


def test_a_certificate_is_fetched_once() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return senders.amazon()[1]

    door = Topic([senders.TOPIC], fetch)
    assert [takes(door, senders.ses("{}", version)) for version in ("1", "2", "2")] == [True, True, True]
    assert asked == [senders.CERTIFICATE_URL]


def test_certificates_that_strangers_name_do_not_pile_up() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return senders.amazon()[1]

    certificates, urls = Certificates(fetch), [named(number) for number in range(MOST_CERTIFICATES + 1)]
    for url in (*urls, urls[-1], urls[0]):
        certificates.key(url, NOW)
    assert asked == [*urls, urls[0]], "the last one is known, the first of too many is not"


class Amazon(Api):
    """A host of certificates, where some have moved away."""

    def answer(self, asked: Asked) -> Said:
        if asked.path == "/moved.pem":
            return Said(302, headers={"Location": f"{self.url}/there.pem"})
        return Said(200, b"x" * (MOST_OCTETS + 10))


def test_what_amazon_shows_is_read_from_where_it_was_asked_for_and_no_further_than_it_may_be_long() -> None:
    with at_work(Amazon()) as amazon:
        with pytest.raises(Later, match="302"):
            fetch(f"{amazon.url}/moved.pem")
        assert len(fetch(f"{amazon.url}/there.pem")) == MOST_OCTETS
        assert [one.path for one in amazon.asked] == ["/moved.pem", "/there.pem"]
