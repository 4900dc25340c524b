"""A brief as the JSON that is kept with its evidence, and back again."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from accounts.briefs.writing import Brief


def to_payload(brief: Brief) -> dict[str, Any]:
    """Plain JSON values: times as ISO 8601, everything under the names of `Brief`."""
    payload: dict[str, Any] = _adapter().dump_python(brief, mode="json")
    return payload


def from_payload(payload: dict[str, Any]) -> Brief:
    """The brief as it was written; keys that this version does not know are left out."""
    return _adapter().validate_python(payload)


@cache
def _adapter() -> TypeAdapter[Brief]:
    return TypeAdapter(Brief)
