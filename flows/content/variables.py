"""What marketers may write between braces: the documented variables, a few filters, and conditions. Nothing else.

A content that asks for anything else is refused when it is read, with file, line and the nearest thing that would be
valid. What a CRM may not know (a first name, a title, an industry) must be guarded, ``{{ account.industry or "your
industry" }}`` or ``{% if account.industry %}``: a mail that says "None" is never sent, and a gap is found at the desk.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from accounts.errors import ContentRefused
from accounts.textfiles import nearest

#: Every variable, with a value as long as they get in practice. What stands in OPTIONAL may be unknown.
CONTRACT: dict[str, Any] = {
    "stakeholder": {
        "first_name": "Maximiliane",
        "last_name": "Featherstonehaugh",
        "title": "Head of Operations",
        "role_label": "economic buyer",
    },
    "account": {"name": "Acme Works International", "industry": "Food processing", "territory": "DACH"},
    "rep": {"name": "Ravi Menon", "first_name": "Ravi"},
    "vendor": {"name": "Lumenflow"},
    "next_quarter": "Q2 2027",
}
OPTIONAL = frozenset(
    {"stakeholder.first_name", "stakeholder.last_name", "stakeholder.title", "account.industry", "account.territory"}
)
#: What a play may switch off.
SWITCHED = frozenset({"pixel_url", "trap_url"})
#: Only layouts may use these, besides the above.
LAYOUT_CONTRACT: dict[str, Any] = {
    **CONTRACT,
    "vendor": {
        "name": "Lumenflow",
        "postal_address": "Lumenflow GmbH, Beispielstraße 12, 20095 Hamburg, Germany",
        "privacy_url": "https://www.lumenflow.example/privacy",
    },
    "unsubscribe_url": "https://mail.example/u/MDEyMzQ1Njc4OWFiY2RlZg",
    "preferences_url": "https://mail.example/p/MDEyMzQ1Njc4OWFiY2RlZg",
    "pixel_url": "https://mail.example/o/MDEyMzQ1Njc4OWFiY2RlZg.gif",
    "trap_url": "https://mail.example/n/MDEyMzQ1Njc4OWFiY2RlZg",
}
FILTERS = ("capitalize", "d", "default", "lower", "replace", "title", "trim", "truncate", "upper")
#: Each optional variable doubles them; nobody can review a text with more versions of itself.
MOST_CASES = 128
TESTS = ("defined", "eq", "ne", "undefined")
CONDITION = 'write {{% if {name} %}}…{{% endif %}} around it, or {{{{ {name} or "…" }}}}'

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Filter, nodes.Test, nodes.If,
    nodes.CondExpr, nodes.Const, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
)  # fmt: skip


class Missing(Undefined):
    """A fact nobody knows: false in a condition, unequal to everything, and an error when it would be printed."""

    __slots__ = ()

    def __str__(self) -> str:
        raise UndefinedError(self._undefined_message)


#: One value per optional variable, made once: sending fills in hundreds of thousands of them.
MISSING: dict[str, Missing] = {name: Missing(f"{name} is not known for everybody") for name in OPTIONAL | SWITCHED}


def environment(
    *, autoescape: bool, finalize: Callable[[Any], Any] | None = None
) -> ImmutableSandboxedEnvironment:  # fmt: skip
    """Jinja2 with our filters and tests only, no globals, no loader, and nothing undefined printed."""
    made = ImmutableSandboxedEnvironment(
        autoescape=autoescape, undefined=StrictUndefined, keep_trailing_newline=True, finalize=finalize
    )
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.tests = {name: made.tests[name] for name in TESTS}
    made.globals.clear()
    return made


_READER = environment(autoescape=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template's text stands: `file`, and the line (from 1) its first line has there."""

    file: str
    line: int

    def refusal(self, what: str, line: int, cure: str) -> ContentRefused:
        """What to raise for a mistake; `line` counts from the template's first line, 1."""
        return ContentRefused(what, where=f"{self.file}:{self.line + line - 1}", cure=cure)


def check(source: str, place: Place, contract: Mapping[str, Any] = CONTRACT) -> frozenset[str]:
    """The dotted names of the variables in `source`.

    Raises ContentRefused for a syntax error, an unknown variable, filter or tag, and for an optional variable that
    would be printed although it may be missing.
    """
    try:
        tree = _READER.parse(source)
    except TemplateSyntaxError as error:
        cure = "check the braces: {{ variable }} or {% if … %}…{% endif %}"
        what = (error.message or "cannot be read").rstrip(".")
        raise place.refusal(what, _unclosed(source) or error.lineno, cure) from None
    inner = {id(node.node) for node in tree.find_all(nodes.Getattr)}
    names = set()
    for node in _all_nodes(tree):
        _refuse_unknown_syntax(node, place)
        if isinstance(node, nodes.Getattr) or (isinstance(node, nodes.Name) and id(node) not in inner):
            names.add(_known_name(node, place, contract))
    cases = _cases(tree, names, contract)
    if cases or tree.find(nodes.Filter):
        _rehearse(source, cases, place, contract)
    return frozenset(names)


def _unclosed(source: str) -> int | None:
    """The line of the last ``{% if %}`` that nobody closes; Jinja2 itself names the end of the text."""
    opened: list[int] = []
    for tag in re.finditer(r"\{%[-+]?\s*(if|endif)\b", source):
        if tag[1] == "if":
            opened.append(source.count("\n", 0, tag.start()) + 1)
        elif opened:
            opened.pop()
    return opened[-1] if opened else None


def _all_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    yield from tree.find_all(nodes.Node)


def _refuse_unknown_syntax(node: nodes.Node, place: Place) -> None:
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise place.refusal(f"unknown filter {node.name!r}", node.lineno, nearest(node.name, FILTERS))
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise place.refusal(f"unknown test {node.name!r}", node.lineno, nearest(node.name, TESTS))
    if not isinstance(node, (*_ALLOWED, nodes.Helper)):
        what = f"{type(node).__name__.lower()!r} is not read here"
        raise place.refusal(what, node.lineno, "only {{ variables }}, filters and {% if … %} are")


def _known_name(node: nodes.Getattr | nodes.Name, place: Place, contract: Mapping[str, Any]) -> str:
    name = _dotted(node)
    if name in names_of(contract):
        return name
    inner = contract.get(name)
    if isinstance(inner, dict):
        what = f"{{{{ {name} }}}} is a group of variables"
        raise place.refusal(what, node.lineno, nearest(name, (f"{name}.{attribute}" for attribute in inner)))
    raise place.refusal(f"unknown variable {{{{ {name} }}}}", node.lineno, nearest(name, names_of(contract)))


def _dotted(node: nodes.Node) -> str:
    if isinstance(node, nodes.Getattr):
        return f"{_dotted(node.node)}.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else "…"


def names_of(contract: Mapping[str, Any]) -> list[str]:
    """The dotted names of a contract: ``stakeholder.first_name``, ``next_quarter``."""
    return [
        f"{name}.{inner}" if inner else name
        for name, value in contract.items()
        for inner in (value if isinstance(value, dict) else [""])
    ]


def _cases(tree: nodes.Template, names: set[str], contract: Mapping[str, Any]) -> dict[str, list[Any]]:
    """For each variable on which the text may depend, the values that can make a difference."""
    cases: dict[str, list[Any]] = {name: [MISSING[name], value_of(contract, name)] for name in names & MISSING.keys()}
    for comparison in tree.find_all(nodes.Compare):
        sides = [comparison.expr, *(operand.expr for operand in comparison.ops)]
        for name in {_dotted(side) for side in sides} & names:
            known = cases.setdefault(name, [value_of(contract, name)])
            known += [side.value for side in sides if isinstance(side, nodes.Const)]
    return cases


def _rehearse(source: str, cases: dict[str, list[Any]], place: Place, contract: Mapping[str, Any]) -> None:
    """Fills the text in for every combination of cases, so that no branch hides a gap or a filter that fails."""
    if prod(map(len, cases.values())) > MOST_CASES:
        raise place.refusal(
            "too many conditions in one text", 1, "make two contents of it, one for each kind of reader"
        )
    template = Template.from_code(_READER, _READER.compile(source, filename="<words>"), {})
    for values in product(*cases.values()):
        try:
            template.render(with_values(contract, dict(zip(cases, values, strict=True))))
        except UndefinedError as error:
            name = str(error).split(" ", 1)[0]
            what = f"{{{{ {name} }}}} is not known for everybody"
            raise place.refusal(what, _line_in_words(error), CONDITION.format(name=name)) from None
        except Exception as error:
            raise place.refusal(f"cannot be filled in: {error}", _line_in_words(error), "check the filter") from None


def value_of(contract: Mapping[str, Any], name: str) -> Any:
    """The contract's value of a dotted name."""
    value: Any = contract
    for part in name.split("."):
        value = value[part]
    return value


def with_values(contract: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's values, some of them (by dotted name) replaced."""
    changed = {name: dict(value) if isinstance(value, dict) else value for name, value in contract.items()}
    for name, value in values.items():
        group, _, attribute = name.partition(".")
        if attribute:
            changed[group][attribute] = value
        else:
            changed[group] = value
    return changed


def _line_in_words(error: BaseException) -> int:
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<words>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
