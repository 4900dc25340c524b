"""Templates made ready to be filled in thousands of times.

Dotted variables become plain ones (``stakeholder.first_name`` -> ``stakeholder_first_name``): a sandbox looks long at
each attribute, and `flows.content.variables.check` has already refused each one that is not a documented variable.

On the way into a message the literal text is quoted-printable beforehand; only values are encoded per person. Each
piece ends its line with a soft line break, which readers take away again, so no line grows too long.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import escape

from flows.channels.email.compose import quoted
from flows.content.variables import environment

#: A prepared template: plain values in, text out.
Fill = Callable[[Mapping[str, Any]], str]

_SOFT_BREAK = "=\r\n"
#: Columns that fit on a line of quoted-printable before a soft line break.
_COLUMNS = 75


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that prepared templates know: groups become prefixes."""
    return {
        f"{name}_{inner}" if inner else name: value
        for name, group in values.items()
        for inner, value in (group.items() if isinstance(group, Mapping) else [("", group)])
    }


#: Of an edited play most texts are as they were; what was prepared holds no value of anybody's.
_prepared = lru_cache(maxsize=1024)


@_prepared
def prepare(source: str, *, autoescape: bool) -> Fill:
    """A template that gives text. The source was checked before."""
    if "{" not in source:
        return lambda _: source
    return _made(_HTML if autoescape else _TEXT, source, _Flattened())


@_prepared
def prepare_quoted(source: str, *, autoescape: bool) -> Fill:
    """A template that gives the same text as quoted-printable UTF-8 with CRLF line ends."""
    return _made(_QUOTED_HTML if autoescape else _QUOTED_TEXT, source, _Quoted())


def _made(made_for: Environment, source: str, transformer: NodeTransformer) -> Fill:
    tree: nodes.Template = transformer.visit(made_for.parse(source))
    return made_for.from_string(tree).render


class _Flattened(NodeTransformer):
    """Every ``a.b`` of the tree as the plain name ``a_b``."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Name:  # noqa: N802 -- Jinja2's visitors are named after nodes
        assert isinstance(node.node, nodes.Name), "checked: no variable goes deeper than one dot"  # noqa: S101
        return nodes.Name(f"{node.node.name}_{node.attr}", "load", lineno=node.lineno)


class _Quoted(_Flattened):
    """Literal text as quoted-printable besides."""

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.TemplateData:  # noqa: N802
        return nodes.TemplateData(_piece(node.data), lineno=node.lineno)


def _piece(text: str) -> str:
    """A piece of quoted-printable that ends a line, so that another piece can follow."""
    if text.isascii() and text.isprintable() and "=" not in text and "  " not in text and len(text) <= _COLUMNS:
        return text + _SOFT_BREAK if text else ""
    written = quoted(text).decode("ascii")
    return written if written.endswith("\n") else _broken(written) + _SOFT_BREAK


def _broken(written: str) -> str:
    """With room for a soft line break at the end: the encoder fills the last line to 76, where it needs none."""
    start = written.rfind("\n") + 1
    if len(written) - start <= _COLUMNS:
        return written
    cut = start + _COLUMNS - 3
    escape_begins = written.find("=", cut - 2, cut)
    cut = escape_begins if escape_begins >= 0 else cut
    return written[:cut] + _SOFT_BREAK + written[cut:]


#: Names and addresses come back within a mail and from mail to mail, so their pieces are kept for a while: those of
#: some two hundred mails, since more of them cost memory and find hardly anything.
_kept = lru_cache(maxsize=2_048)


@_kept
def _html_piece(value: str) -> str:
    return _piece(str(escape(value)))


@_kept
def _text_piece(value: str) -> str:
    return _piece(value)


_HTML, _TEXT = environment(autoescape=True), environment(autoescape=False)
# The pieces are escaped before they are encoded, so Jinja2 itself must not escape them again.
_QUOTED_HTML = environment(autoescape=False, finalize=lambda value: _html_piece(str(value)))
_QUOTED_TEXT = environment(autoescape=False, finalize=lambda value: _text_piece(str(value)))
