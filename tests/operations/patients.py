"""Installations to be looked at by the doctor."""

import socket
from typing import Any

from flows.doctor import Patient
from flows.settings import Settings
from tests.cast import NOW


def patient(**settings: Any) -> Patient:
    """One without a Prefect server; `settings` on top of those of the folder."""
    return Patient(Settings(**settings), NOW)


def closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
