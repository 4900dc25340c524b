"""Content + facts about one person -> a message. Markdown, CSS and Jinja2 are compiled once per content; per person
only two or three prepared templates are filled in.

compiled = compile_play(load_play(folder), settings.templates)     # once per process
message = compiled.render("new-business/discovery/why-now", context)
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import css_inline
from jinja2 import Environment, TemplateError

from accounts.errors import ContentRefused, NotFound
from accounts.playbook import Play, Step
from accounts.textfiles import nearest, shown
from flows.markdown import StandIns, compile_markdown
from flows.variables import CONTRACT, LAYOUT_CONTRACT, MISSING, Missing, Place, check, environment

#: What a layout must print: the text, and what the law asks for.
DEMANDED = ("body", "unsubscribe_url", "vendor.postal_address")
SLOTS = {"body": "", "subject": "", "preheader": ""}

_HTML, _TEXT = environment(autoescape=True), environment(autoescape=False)
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False)
_GREETING = re.compile(r"(?P<greeting>[^\W\d_][\w ]*?) +\{\{-? *stakeholder\.first_name *-?\}\}(?P<rest>[^\n]*)")
#: A greeting without a name, where leaving the name out is not enough.
NAMELESS = {"Hi": "Hi there", "Hey": "Hey there", "Dear": "Hello"}


#: A prepared template: values in, text out.
Fill = Callable[[Mapping[str, Any]], str]


class StakeholderWords(NamedTuple):
    first_name: str | Missing
    last_name: str | Missing
    title: str | Missing
    role_label: str


class AccountWords(NamedTuple):
    name: str
    industry: str | Missing
    territory: str | Missing


class RepWords(NamedTuple):
    name: str
    first_name: str


class VendorWords(NamedTuple):
    name: str
    postal_address: str
    privacy_url: str


@dataclass(frozen=True, slots=True)
class RenderContext:
    """The documented variables for one person and one content; see templates/README.md."""

    stakeholder: StakeholderWords
    account: AccountWords
    rep: RepWords
    vendor: VendorWords
    #: The quarter after the current one: ``Q1 2027``.
    next_quarter: str
    unsubscribe_url: str
    #: Tracked addresses for the content's links, in their order (see `Compiled.links`).
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What one person reads. `html` and `text` say the same."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """One e-mail of a play, compiled."""

    step: Step
    subject: Fill
    preheader: Fill
    html: Fill
    text: Fill
    #: Where its links lead, in their order: https addresses.
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The frame around each text, as sources of Jinja2 templates."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A play whose contents are ready to be filled in."""

    play: Play
    contents: Mapping[str, Content]

    def content(self, key: str) -> Content:
        """Raises NotFound for a content that this play does not have (any more)."""
        if key not in self.contents:
            raise NotFound(f"{self.play.key} has no content {key!r}", cure=nearest(key, self.contents))
        return self.contents[key]

    def links(self, key: str) -> tuple[str, ...]:
        """Where the links of a content lead, numbered as in `flows.tokens.sign_click`."""
        return self.content(key).links

    def links_by_digest(self) -> dict[str, tuple[str, ...]]:
        """What `accounts.ledger.links.remember_links` notes before anything is sent."""
        return {content.step.digest: content.links for content in self.contents.values()}

    def render(self, key: str, context: RenderContext) -> Message:
        """The message for one person. Raises NotFound; ContentRefused when a fact is missing that the text needs."""
        content = self.content(key)
        values = {
            "stakeholder": context.stakeholder,
            "account": context.account,
            "rep": context.rep,
            "vendor": context.vendor,
            "next_quarter": context.next_quarter,
            "unsubscribe_url": context.unsubscribe_url,
            **{f"link{number}": url for number, url in enumerate(context.links)},
        }
        try:
            return Message(
                content.subject(values),
                content.preheader(values),
                content.html(values),
                content.text(values),
            )
        except TemplateError as error:
            cure = "guard it in the text, or complete the facts"
            raise ContentRefused(f"cannot be filled in: {error.message}", where=key, cure=cure) from None


def known_or_missing(name: str, value: str | None) -> str | Missing:
    """A fact, or the mark for a fact that nobody knows; `name` as in `flows.variables.OPTIONAL`."""
    return value or MISSING[name]


def compile_play(play: Play, templates: Path, *, only: str | None = None) -> Compiled:
    """All contents of a play (or one of them) inside the layout of `templates`.

    Raises ContentRefused with file, line and cure: an unknown variable is found here and not when a mail is due.
    """
    layout = read_layout(templates / "layout")
    steps = [step for step in play.steps if only in (None, step.key)]
    return Compiled(play, {step.key: compile_step(step, layout) for step in steps})


def compile_step(step: Step, layout: Layout) -> Content:
    """One content inside a layout. Raises ContentRefused with file, line and cure."""
    subject, preheader = _line_of(step, "subject"), _line_of(step, "preheader")
    place = Place(step.source.front.file, step.source.body_line) if step.source else Place(step.key, 1)
    body = _with_greeting(step.body)
    check(body, place, {**CONTRACT, "asset": step.asset})
    words = compile_markdown(body, place)
    slots = {"subject": _as_html(subject), "preheader": _as_html(preheader), "body": words.html}
    return Content(
        step=step,
        subject=_prepared(_TEXT, subject),
        preheader=_prepared(_TEXT, preheader),
        html=_prepared(_HTML, _inlined(_filled(layout.html, slots))),
        text=_prepared(_TEXT, _filled(layout.text, {**slots, "body": words.text}).strip() + "\n"),
        links=tuple(step.asset if link == "asset" else link for link in words.links),
    )


def read_layout(folder: Path) -> Layout:
    """``email.html`` and ``email.txt`` of a layout folder. Raises ContentRefused when one lacks what it must print."""
    return Layout(_read_frame(folder / "email.html"), _read_frame(folder / "email.txt"))


def _read_frame(path: Path) -> str:
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ContentRefused("there is no layout", where=shown(path), cure="restore the file as UTF-8 text") from None
    names = check(source, Place(shown(path), 1), {**LAYOUT_CONTRACT, **SLOTS})
    for name in DEMANDED:
        if name not in names:
            what = f"the layout does not show {{{{ {name} }}}}"
            raise ContentRefused(what, where=shown(path), cure="add it: each e-mail must carry it")
    return source


def _line_of(step: Step, key: str) -> str:
    """Subject or preheader, its variables checked."""
    text: str = getattr(step, key)
    front = step.source.front if step.source else None
    check(text, Place(front.file, front.line(key)) if front else Place(step.key, 1))
    return text


def _prepared(environment: Environment, source: str) -> Fill:
    """A template to be filled in; a text without tags is filled in already."""
    return environment.from_string(source).render if "{" in source else lambda _: source


def _with_greeting(body: str) -> str:
    """A first line such as ``Hi {{ stakeholder.first_name }},`` greets people whose name nobody knows as well."""
    found = _GREETING.match(body)
    if not found:
        return body
    nameless = NAMELESS.get(found["greeting"], found["greeting"]) + found["rest"]
    line = f"{{% if stakeholder.first_name %}}{found[0]}{{% else %}}{nameless}{{% endif %}}"
    return line + body[found.end() :]


def _as_html(line: str) -> str:
    """A line of text with tags as HTML: the text escaped, the tags alive."""
    tags = StandIns(line)
    return tags.put_back(escape(tags.plain.strip("\n")))


def _filled(frame: str, slots: dict[str, str]) -> str:
    """A layout with the texts in its slots."""
    return re.sub(r"\{\{-? *(body|subject|preheader) *-?\}\}", lambda found: slots[found[1]], frame)


def _inlined(page: str) -> str:
    """The page with its styles on each element, and what only a style block can say in one."""
    tags = StandIns(page)
    inlined: Any = _INLINER.inline(tags.plain)
    return tags.put_back(re.sub(r' data-css-inline="keep"|\n(?=\n)', "", inlined))
