"""Other values in the text of a play.yaml, and every other character as it was: comments, order, quotes, blanks."""

from collections.abc import Mapping
from typing import Any

import yaml

from accounts.errors import ContentRefused
from accounts.vocabulary import SignalKind

BYTE_ORDER_MARK = "\ufeff"
# the C parser reads a play many times as fast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PlainLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def reweigh(text: str, weights: Mapping[SignalKind, float], where: str = "play.yaml") -> str:
    """The text with these weights under `engagement.weights`.

    Raises ContentRefused for a kind that has no line there, and when anything else would change.
    """
    body = text.removeprefix(BYTE_ORDER_MARK)  # which the parser in C leaves out when it counts characters
    root: Any = yaml.compose(body, Loader=_Loader)
    lines = _inside(_inside(root, "engagement"), "weights")
    places = {str(key.value): value for key, value in getattr(lines, "value", ())}
    new, wanted = body, {str(kind): f"{weight:g}" for kind, weight in weights.items()}
    missing = sorted(kind for kind in wanted if kind not in places)
    if missing:
        raise ContentRefused(f"no weight for {', '.join(missing)} stands in it", where=where, cure="add a line: 0")
    for kind in sorted(wanted, key=lambda kind: places[kind].start_mark.index, reverse=True):
        node = places[kind]
        new = new[: node.start_mark.index] + wanted[kind] + new[node.end_mark.index :]
    _only_that_changed(body, new, wanted, where)
    return text.removesuffix(body) + new


def _inside(node: Any, key: str) -> Any:
    """The value of a key of a mapping; None when there is none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _only_that_changed(old: str, new: str, wanted: Mapping[str, str], where: str) -> None:
    before, after = _read(old), _read(new)
    before["engagement"]["weights"].update(wanted)
    if before != after:  # an anchor, for example, whose value stands in two places
        raise ContentRefused("the weights cannot be written in place", where=where, cure="change them by hand")


def _read(text: str) -> Any:
    """Everything as text; None for what is no YAML (any more)."""
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506  builds nothing but texts, lists and mappings
    except yaml.YAMLError:
        return None
