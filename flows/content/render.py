"""Content + facts about one person -> a message. Markdown, CSS and Jinja2 are compiled once per content; per person
only two or three prepared templates are filled in.

compiled = compile_play(load_play(folder), settings.templates)     # once per process
message = compiled.render("new-business/discovery/why-now", facts)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import css_inline
from jinja2 import TemplateError

from accounts.errors import ContentRefused, NotFound
from accounts.ledger.sending.links import Link
from accounts.playbook import Play, Step
from accounts.textfiles import nearest, shown
from flows.content.markdown import ASSET, StandIns, compile_markdown
from flows.content.prepare import Fill, prepare, prepare_quoted
from flows.content.variables import CONTRACT, LAYOUT_CONTRACT, Place, check

#: What a layout must print: the text, and what the law asks for.
DEMANDED = ("body", "unsubscribe_url", "vendor.postal_address")
#: What is known about one person: the documented variables by their flat names (`flows.content.prepare.flat`), a fact
#: that nobody knows as `flows.content.variables.MISSING`, besides ``unsubscribe_url`` and ``link0``, ``link1`` …
Facts = Mapping[str, Any]
SLOTS = {"body": "", "subject": "", "preheader": ""}

_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False)
_GREETING = re.compile(r"(?P<greeting>[^\W\d_][\w ]*?) +\{\{-? *stakeholder\.first_name *-?\}\}(?P<rest>[^\n]*)")
#: A greeting without a name, where leaving the name out is not enough.
NAMELESS = {"Hi": "Hi there", "Hey": "Hey there", "Dear": "Hello"}


@dataclass(frozen=True, slots=True)
class Message:
    """What one person reads. `html` and `text` say the same."""

    subject: str
    preheader: str
    html: str
    text: str


class Quoted(NamedTuple):
    """The same message on its way into a mail: both parts as quoted-printable."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Content:
    """One e-mail of a play, compiled."""

    step: Step
    sources: "Sources"
    subject: Fill
    #: Quoted-printable, for sending.
    quoted_text: Fill
    quoted_html: Fill
    #: Where its links lead, in their order: https addresses.
    links: tuple[str, ...]
    #: Numbers of the links to the asset, where that is a document with a page of its own.
    documents: frozenset[int] = frozenset()

    @cached_property
    def preheader(self) -> Fill:
        return prepare(self.sources.preheader, autoescape=False)

    @cached_property
    def text(self) -> Fill:
        return prepare(self.sources.text, autoescape=False)

    @cached_property
    def html(self) -> Fill:
        return prepare(self.sources.html, autoescape=True)


class Sources(NamedTuple):
    """Sources of Jinja2 templates. `links`: targets of ``{{ link0 }}`` …, as in `flows.content.markdown.Words`."""

    subject: str
    preheader: str
    html: str
    text: str
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

    def links_by_digest(self) -> dict[str, list[Link]]:
        """What `accounts.ledger.sending.links.remember_links` notes before anything is sent."""
        return {
            content.step.digest: [
                Link(url, content.step.asset_title if number in content.documents else None)
                for number, url in enumerate(content.links)
            ]
            for content in self.contents.values()
        }

    def render(self, key: str, facts: Facts) -> Message:
        """The message for one person, to be looked at.

        Raises NotFound; ContentRefused when a fact is missing that the text needs.
        """
        content = self.content(key)
        try:
            return Message(content.subject(facts), content.preheader(facts), content.html(facts), content.text(facts))
        except TemplateError as error:
            raise _gap(key, error) from None

    def quote(self, key: str, facts: Facts) -> Quoted:
        """The same message for one person, to be sent. Raises as `render` does."""
        content = self.content(key)
        try:
            return Quoted(content.subject(facts), content.quoted_text(facts), content.quoted_html(facts))
        except TemplateError as error:
            raise _gap(key, error) from None


def _gap(key: str, error: TemplateError) -> ContentRefused:
    cure = "guard it in the text, or complete the facts"
    return ContentRefused(f"cannot be filled in: {error.message}", where=key, cure=cure)


def compile_play(play: Play, templates: Path, *, only: str | None = None) -> Compiled:
    """All contents of a play (or one of them) inside the layout of `templates`.

    Raises ContentRefused with file, line and cure: an unknown variable is found here and not when a mail is due.
    """
    layout = read_layout(templates / "layout")
    steps = [step for step in play.steps if only in (None, step.key)]
    return Compiled(play, {step.key: compile_step(step, layout) for step in steps})


def compile_step(step: Step, layout: Layout) -> Content:
    """One content inside a layout. Raises ContentRefused with file, line and cure."""
    sources = write_templates(step, layout)
    return Content(
        step=step,
        sources=sources,
        subject=prepare(sources.subject, autoescape=False),
        quoted_text=prepare_quoted(sources.text, autoescape=False),
        quoted_html=prepare_quoted(sources.html, autoescape=True),
        links=tuple(step.asset if link == ASSET else link for link in sources.links),
        documents=frozenset(
            number for number, link in enumerate(sources.links) if link == ASSET and step.asset_title is not None
        ),
    )


def write_templates(step: Step, layout: Layout) -> Sources:
    """The Jinja2 templates that a content and a layout make. Raises ContentRefused with file, line and cure."""
    subject, preheader = _line_of(step, "subject"), _line_of(step, "preheader")
    place = Place(step.source.front.file, step.source.body_line) if step.source else Place(step.key, 1)
    body = _with_greeting(step.body)
    check(body, place, {**CONTRACT, ASSET: step.asset})
    words = compile_markdown(body, place)
    slots = {"subject": _as_html(subject), "preheader": _as_html(preheader), "body": words.html}
    html = _inlined(_filled(layout.html, slots))
    text = _filled(layout.text, {**slots, "body": words.text}).strip() + "\n"
    return Sources(subject, preheader, html, text, words.links)


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
