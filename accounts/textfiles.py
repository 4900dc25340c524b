"""Text files that marketers edit: YAML and front matter with a line for every key, and errors that name file, line,
key and what would be valid.

YAML is read the plain way: only true/false, numbers and null are more than text, so that the country code NO stays a
country, 09:00 stays a time and a date that does not exist is refused with its line.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from accounts.errors import ContentRefused

Model = TypeVar("Model", bound=BaseModel)
KeyPath = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser reads a play four times as fast
_FENCE = "---"


class _PlainYaml(_Loader):  # type: ignore[misc]
    """YAML without guesses; the resolvers are the whole list."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- PyYAML's own shape


_PlainYaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$", re.IGNORECASE), list("tTfF"))
_PlainYaml.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_PlainYaml.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))
_PlainYaml.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:null|~|)$"), ["n", "~", ""])


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML mapping as plain values, and the line (from 1) on which each key or list item stands."""

    file: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]
    first_line: int = 1

    def line(self, *path: str | int) -> int:
        """The line of a key, or of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.first_line

    def refuse(self, what: str, *path: str | int, cure: str | None = None) -> NoReturn:
        """Raises ContentRefused with the place of `path`."""
        raise ContentRefused(what, where=f"{self.file}:{self.line(*path)}", cure=cure)


@dataclass(frozen=True, slots=True)
class Document:
    """A file with front matter: its keys, the text below, the line the text starts on, and the SHA-256 of the file."""

    front: Marked
    body: str
    body_line: int
    digest: str


def shown(path: Path) -> str:
    """A path as a person here would type it: relative when it lies below the working folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else Path(relative).as_posix()


def nearest(wrong: object, valid: Iterable[str]) -> str:
    """The cure for a wrong word: the closest valid one when there is one, then all of them."""
    words = sorted(valid)
    close = get_close_matches(str(wrong), words, n=1, cutoff=0.6)
    return (f"did you mean {close[0]!r}? " if close else "") + f"valid: {', '.join(words)}"


def read_yaml(path: Path) -> tuple[Marked, str]:
    """A YAML file whose top is a mapping, and its SHA-256. Raises ContentRefused with file, line and cure."""
    text, digest = _read(path)
    return _parse(text, shown(path), first_line=1), digest


def read_document(path: Path) -> Document:
    """A file with front matter between two lines of ``---``. Raises ContentRefused with file, line and cure."""
    text, digest = _read(path)
    file, lines = shown(path), text.split("\n")
    if lines[0].rstrip() != _FENCE:
        raise ContentRefused(
            "no front matter", where=f"{file}:1", cure="begin the file with a line of three dashes, ---"
        )
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise ContentRefused("the front matter has no end", where=f"{file}:1", cure="close it with a line of ---")
    front = _parse("\n".join(lines[1:end]), file, first_line=2)
    body = "\n".join(lines[end + 1 :])
    blank = len(body) - len(body.lstrip("\n"))
    if not body.strip():
        raise ContentRefused("there is no text below the front matter", where=f"{file}:{end + 1}", cure="write it")
    return Document(front, body.strip("\n"), end + 2 + blank, digest)


def validated(marked: Marked, model: type[Model], **more: Any) -> Model:
    """`marked` as a `model`, with `more` values that do not stand in the file. Raises ContentRefused for the first
    mistake in the file, with the number of others."""
    for name in more.keys() & marked.values.keys():
        marked.refuse(f"{name!r} is not decided here", name, cure="remove the line: it follows from the file itself")
    try:
        return model.model_validate({**marked.values, **more})
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        first = min(mistakes, key=lambda mistake: (mistake["type"] == "missing", marked.line(*mistake["loc"])))
        what, cure = _explain(first, model, marked.values, more.keys())
        rest = len(mistakes) - 1
        others = f"; {rest} more mistake{'s' * (rest > 1)} in this file" if rest else ""
        marked.refuse(what, *_without_key_mark(first["loc"]), cure=cure + others)


def _read(path: Path) -> tuple[str, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ContentRefused(
            f"cannot be read: {error.strerror}", where=shown(path), cure="check the name and the rights"
        ) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ContentRefused("is not UTF-8 text", where=f"{shown(path)}:{line}", cure="save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n"), hashlib.sha256(raw).hexdigest()


@lru_cache(maxsize=1024)
def _parse(text: str, file: str, *, first_line: int) -> Marked:
    """Remembered, as of a play's many files one changes between two looks, if any; nobody writes to what comes back."""
    loader = _PlainYaml(text)
    try:
        node = loader.get_single_node()
        lines = dict(_lines_of(node, file, first_line)) if node is not None else {}
        values = loader.construct_document(node) if node is not None else {}
    except yaml.MarkedYAMLError as error:
        where = f"{file}:{_yaml_line(error) + first_line}"
        raise ContentRefused(f"is not valid YAML: {error.problem}", where=where, cure=_yaml_cure(error)) from None
    except yaml.YAMLError as error:  # a control character: the reader gives no line
        what = f"is not valid YAML: {str(error).splitlines()[0]}"
        raise ContentRefused(what, where=f"{file}:{first_line}", cure="remove control characters") from None
    except (ValueError, RecursionError):
        cure = "write plain values: no tags (!!) and no deep nesting"
        raise ContentRefused("is not plain YAML", where=f"{file}:{first_line}", cure=cure) from None
    finally:
        loader.dispose()
    if not isinstance(values, dict) or not values:
        raise ContentRefused(
            "has no keys", where=f"{file}:{first_line}", cure="write lines such as title: New business"
        )
    return Marked(file, values, lines, first_line)


def _yaml_line(error: yaml.MarkedYAMLError) -> int:
    """Where to look (from 0): an unclosed bracket or quote is mended where it opens, anything else where it shows."""
    opened_here = any(word in (error.context or "") for word in ("flow", "quoted"))
    first, second = error.problem_mark, error.context_mark
    mark = (second or first) if opened_here else (first or second)
    return mark.line if mark else 0


def _yaml_cure(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "mapping values" in problem:
        return "put a value that contains a colon in quotes"
    if "\\t" in problem or "tab" in problem or "cannot start any token" in problem:
        return "indent with spaces, and put a value that starts with a special character in quotes"
    return "check quotes, brackets and indentation on this line and the one above"


def _lines_of(root: yaml.Node, file: str, first_line: int) -> Iterator[tuple[KeyPath, int]]:
    """(path, line) of every key and list item; refuses a key that stands twice, which YAML would drop in silence."""
    met: set[int] = set()
    waiting: list[tuple[KeyPath, yaml.Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        where = f"{file}:{node.start_mark.line + first_line}"
        if id(node) in met:
            raise ContentRefused("an alias (*name) is not read here", where=where, cure="write the values out")
        met.add(id(node))
        keys: set[str] = set()
        for key, child, mark in _children(node):
            line = mark.line + first_line
            if key in keys:
                raise ContentRefused(f"{key!r} stands here twice", where=f"{file}:{line}", cure="keep one of them")
            keys.add(str(key))
            yield (*path, key), line
            waiting.append(((*path, key), child))


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, yaml.Mark]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value, key.start_mark) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((number, item, item.start_mark) for number, item in enumerate(node.value))


def _explain(
    mistake: ErrorDetails, model: type[BaseModel], values: dict[str, Any], decided: AbstractSet[str]
) -> tuple[str, str]:
    """(what, cure) of one of pydantic's mistakes, in words of the file."""
    kind, loc, given = mistake["type"], _without_key_mark(mistake["loc"]), mistake["input"]
    if kind == "extra_forbidden":
        return f"unknown key {dotted(loc)!r}", nearest(loc[-1], set(_keys_at(model, loc[:-1])) - decided)
    if kind == "missing":
        twin = get_close_matches(str(loc[-1]), _keys_beside(values, loc), n=1, cutoff=0.6)
        return f"{dotted(loc)!r} is missing", f"rename {twin[0]!r}" if twin else f"add a line {loc[-1]}: …"
    if kind in {"enum", "literal_error"}:
        valid = re.findall(r"'([^']*)'", str(mistake.get("ctx", {}).get("expected", "")))
        return f"{dotted(loc)}: {given!r} is not known here", nearest(given, valid)
    if kind.startswith("date"):
        return f"{dotted(loc)}: {given!r} is not a day", "write it as 2027-03-31"
    if kind.startswith("time"):
        return f"{dotted(loc)}: {given!r} is not a time of day", 'write it as "09:00"'
    message = mistake["msg"].removeprefix("Value error, ").removeprefix("Input ")
    cure = "put the value in quotes, or write a list as [one, two]" if kind.endswith("_type") else "change the value"
    return f"{dotted(loc)}: {message}", cure


def dotted(path: Iterable[str | int]) -> str:
    """A path as a person says it: ``stages[2].cadence.every``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _without_key_mark(loc: KeyPath) -> KeyPath:
    return tuple(part for part in loc if part != "[key]")  # pydantic's way to say that the key itself is wrong


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that `model` knows below `path`."""
    found: Any = model
    for part in path:
        if isinstance(part, str) and part in getattr(found, "model_fields", {}):
            found = _inner_model(found.model_fields[part].annotation)
    return list(found.model_fields)


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _inner_model(part))), None)


def _keys_beside(values: Any, loc: KeyPath) -> list[str]:
    """The keys that stand in the file where `loc` was looked for."""
    for part in loc[:-1]:
        values = values[part] if isinstance(values, dict | list) else None  # type: ignore[index]
    return [str(key) for key in values] if isinstance(values, dict) else []
