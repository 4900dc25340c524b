"""What a check finds, and what it looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from accounts.errors import TandemError
from flows.doctor.resolver import LookUp
from flows.operating.prefect_api import PrefectApi
from flows.settings import Settings

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what it says, and what to do about it."""

    name: str
    state: State
    says: str
    cure: str | None = None


def refused(name: str, error: TandemError) -> Finding:
    """What refused to work, as a finding: where, what, and the cure it names itself."""
    place = f"{error.where}: " if error.where else ""
    return Finding(name, "fail", f"{place}{error.what}", error.cure)


@dataclass(frozen=True, slots=True)
class Patient:
    """An installation of Tandem at a moment. `prefect`: the server its flows report to, if one is known."""

    settings: Settings
    now: datetime
    prefect: PrefectApi | None = None
    #: Asks the DNS; None: nobody is to be asked.
    look_up: LookUp | None = None
    #: Whether services that only messages go to may be asked whether they know us.
    asks: bool = False


Check = Callable[[Patient], Finding | None]
