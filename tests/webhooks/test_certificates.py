"""Amazon's certificates: whoever names one that cannot be had holds up nobody but a few."""

import threading
from datetime import timedelta
from queue import Queue

import pytest

from flows.webhooks import Forged, Later
from flows.webhooks.certificates import WAITING, Certificates
from tests.cast import NOW
from tests.webhooks import senders

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
