"""A brief as an HTML e-mail and as text. Templates are compiled and their CSS is inlined once per process.

The words come from `accounts.briefs`; `templates/briefs/` lays them out. In the HTML template Jinja2 statements are
written as comments, ``<!--% for … %-->``: an HTML parser moves loose text out of tables, but leaves comments alone, so
the CSS can be inlined before anything is filled in.
"""

import textwrap
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import css_inline
from jinja2 import StrictUndefined
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment

from accounts.briefs import LABELS, AccountBrief, Asset, Brief, Planned, Seat, Statement
from accounts.briefs.account import SETTLED, STOP, Open
from accounts.briefs.buttons import Button
from accounts.briefs.material import Evidence
from accounts.briefs.seats import Question
from accounts.errors import ContentRefused
from flows.briefs.links import Links

#: Columns of the text version.
WIDTH = 78
MARGIN = " " * 18
#: What the first line of each part begins with.
STARTS = {part: f"  {label}".ljust(len(MARGIN)) for part, label in LABELS.items()}
RULE = "-" * WIDTH


class _Proved(Protocol):
    @property
    def evidence(self) -> Evidence: ...


class _Sandbox(SandboxedEnvironment):
    """Jinja2's sandbox, told that the values of a brief are nothing but words: to look closer doubles the cost."""

    _WORDS = frozenset({Brief, AccountBrief, Statement, Seat, Planned, Asset, Button, Open, Question, LoopContext})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) in self._WORDS and attribute[0] != "_":
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call(__self, __context: Context, __obj: Any, *args: Any, **named: Any) -> Any:  # noqa: N805  as Jinja2 has it
        if type(__obj) is Links:  # which asks for none of the template's own variables
            named.pop("_loop_vars", None)
            named.pop("_block_vars", None)
            return __obj(*args, **named)
        return super().call(__context, __obj, *args, **named)


class BriefPages:
    """`pages.html(brief, links)` and `pages.text(brief, links)`. Raises ContentRefused when a template is missing."""

    def __init__(self, templates: Path) -> None:
        folder = templates / "briefs"
        self._html = _environment(True, "<!--%", "%-->").from_string(inlined(_read(folder / "brief.html")))
        self._text = _environment(False, "{%", "%}").from_string(_read(folder / "brief.txt"))

    def html(self, brief: Brief, links: Links) -> str:
        """The e-mail's HTML part; the proof of each statement stands in ``data-evidence``."""
        return self._html.render(brief=brief, labels=LABELS, **_about(links))

    def text(self, brief: Brief, links: Links, *, with_evidence: bool = False) -> str:
        """The e-mail's text part, wrapped; with the proof of each statement in brackets when asked for."""
        furniture = {"starts": STARTS, "with_evidence": with_evidence, "margin": MARGIN, "rule": RULE}
        return self._text.render(brief=brief, **furniture, **_about(links))


def _about(links: Links) -> dict[str, Any]:
    day = links.last_day
    return {"link": links, "stop": STOP, "settled": SETTLED, "good_until": f"{day.day} {day:%B}"}


@cache
def brief_pages(templates: Path) -> BriefPages:
    """The pages of a templates folder, compiled once per process."""
    return BriefPages(templates)


def _environment(is_html: bool, starts: str, ends: str) -> SandboxedEnvironment:
    made = _Sandbox(
        autoescape=is_html,
        undefined=StrictUndefined,
        block_start_string=starts,
        block_end_string=ends,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(ids=_ids, hang=_hang, proof=_proof)
    return made


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContentRefused(error.strerror or "cannot be read", where=str(path), cure="restore the file") from None


def inlined(source: str) -> str:
    """Styles on each element; the style tag with the @media rules stays, for mail programs that read one."""
    return css_inline.CSSInliner(load_remote_stylesheets=False).inline(source)


def _ids(proved: _Proved) -> str:
    return " ".join(proved.evidence)


def _proof(proved: _Proved, is_wanted: bool) -> str:
    return f" [{_ids(proved)}]" if is_wanted else ""


def _hang(text: str, indent: int) -> str:
    """Wrapped at WIDTH, further lines indented; commands and addresses are never broken."""
    if len(text) <= WIDTH:
        return text
    return textwrap.fill(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False,
        replace_whitespace=False,
    )  # fmt: skip
