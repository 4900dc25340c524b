"""Markdown with Jinja2 tags -> two Jinja2 templates, one of HTML and one of the text a person would have typed.

Before Markdown is read, each Jinja2 tag is replaced by a stand-in, a made-up word that Markdown and HTML tools take
for an ordinary one; afterwards the tags are put back. Links are numbered in the order of the text: the templates hold
``{{ link0 }}``, ``{{ link1 }}`` …, and `Words.links` their targets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent

from jinja2 import Environment
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from accounts.playrules import is_page
from flows.content.variables import CONTRACT, Place, names_of, value_of

#: What a link to the content's asset is called in `Words.links`.
ASSET = "asset"
#: Columns of the text part, with variables as long as in the contract.
WIDTH = 72
HTML_CURE = "write Markdown, or &lt; where you mean <"


class _CommonMark(MarkdownIt):
    """Takes any link for a link: `_target` says which ones are good, and names the line of those that are not."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 -- markdown-it's name for it
        return True


_COMMONMARK = _CommonMark("commonmark")
_LEXER = Environment(autoescape=True)
_LIVE_BRACE = re.compile(r"\{(?=[{%#])")


@dataclass(frozen=True, slots=True)
class Words:
    """A text, twice. `html` and `text` are sources of Jinja2 templates without layout."""

    html: str
    text: str
    #: Targets of ``{{ link0 }}``, ``{{ link1 }}`` …: `ASSET`, or an address.
    links: tuple[str, ...]


class StandIns:
    """Jinja2 tags taken out of a text, and put back into what became of it."""

    def __init__(self, source: str) -> None:
        """Takes the tags out of `source`; `self.plain` is the rest, with a stand-in for each."""
        mark = "xq"
        while mark in source.lower():
            mark += "q"
        self.tags: list[str] = []
        self._mark = mark
        self._pattern = re.compile(rf"{mark}x(\d+)x")
        #: The text for Markdown: a line with nothing but ``{% … %}`` stands between paragraphs, wherever it was typed.
        self.plain = ""
        #: For each line of `plain` the line of the source, both from 0.
        self.lines: list[int] = []
        for number, line in enumerate("".join(self._without_tags(source)).split("\n")):
            alone = self.is_only_statements(line)
            spread = ["", line.strip(), ""] if alone else [line]
            self.plain += "".join(f"{part}\n" for part in spread)
            self.lines += [number] * len(spread)

    def _without_tags(self, source: str) -> Iterator[str]:
        tag: list[str] = []
        for _, kind, value in _LEXER.lex(source):
            if kind == "data":
                yield value
                continue
            tag.append(value)
            if kind.endswith("_end"):
                whole = "".join(tag)
                yield self.add(whole) if kind != "comment_end" else "\n" * whole.count("\n")
                tag.clear()

    def add(self, tag: str) -> str:
        """A stand-in for one more tag."""
        self.tags.append(tag)
        return f"{self._mark}x{len(self.tags) - 1}x"

    def put_back(self, text: str) -> str:
        """`text` as a template: every tag in its place; braces that came out of the Markdown stay braces."""
        inert = _LIVE_BRACE.sub(lambda _: self.add('{{ "{" }}'), text)
        return self._pattern.sub(lambda found: self.tags[int(found[1])], inert)

    def tags_in(self, text: str) -> list[str]:
        return [self.tags[int(number)] for number in self._pattern.findall(text)]

    def is_only_statements(self, text: str) -> bool:
        """Whether `text` is nothing but ``{% … %}``."""
        tags = self.tags_in(text)
        return bool(tags) and all(keyword(tag) for tag in tags) and not self._pattern.sub("", text).strip()

    def width(self, text: str) -> int:
        """How many columns `text` takes when variables are as long as in the contract."""
        return len(self._pattern.sub(lambda found: "x" * _width_of(self.tags[int(found[1])]), text))


def keyword(tag: str) -> str:
    """``if``, ``elif``, ``else`` or ``endif``; empty for a variable."""
    found = re.match(r"\{%[-+]?\s*(\w+)", tag)
    return found[1] if found else ""


def _width_of(tag: str) -> int:
    if keyword(tag):
        return 0
    names = [name for name in names_of(CONTRACT) if re.search(rf"\b{re.escape(name)}\b", tag)]
    return max((len(value_of(CONTRACT, name)) for name in names), default=1)


def compile_markdown(source: str, place: Place) -> Words:
    """`source` as templates. Its variables were checked before (`flows.content.variables.check`).

    Raises ContentRefused for raw HTML, a picture without words, a link that leads to no page, and a condition that
    begins in one paragraph and ends in another.
    """
    tags = StandIns(source)
    tokens = _COMMONMARK.parse(tags.plain)
    _refuse_what_cannot_be_sent(tokens, tags, place)
    links = _number_links(tokens, tags, place)
    _stand_free(tokens, tags)
    text = _letter(SyntaxTreeNode(tokens), tags)
    html = _COMMONMARK.renderer.render(tokens, _COMMONMARK.options, {})
    return Words(tags.put_back(html).strip(), tags.put_back(text).strip(), tuple(links))


# --- what is refused --------------------------------------------------------------------------------------------------


def _line(token: Token, tags: StandIns) -> int:
    """The line of the source, from 1, on which a block begins."""
    return tags.lines[token.map[0]] + 1 if token.map else 1


def _refuse_what_cannot_be_sent(tokens: list[Token], tags: StandIns, place: Place) -> None:
    for token in tokens:
        line = _line(token, tags)
        if token.type == "html_block":
            raise place.refusal("HTML is not read here", line, HTML_CURE)
        for child in token.children or ():
            if child.type == "html_inline":
                raise place.refusal(f"HTML is not read here: {child.content}", line, HTML_CURE)
            if child.type == "image" and not child.content.strip():
                raise place.refusal("a picture needs words for who cannot see it", line, "![what it shows](https://…)")
            if any(_names_asset(tag) for tag in tags.tags_in(child.content)):
                cure = "write [what the reader finds there]({{ asset }})"
                raise place.refusal("{{ asset }} stands outside a link", line, cure)
        if not _is_balanced(token, tags):
            cure = "put {% if … %} and {% endif %} on lines of their own"
            raise place.refusal("a condition begins in one paragraph and ends in another", line, cure)


def _names_asset(tag: str) -> bool:
    return bool(re.search(rf"\b{ASSET}\b", re.sub(r"\"[^\"]*\"|'[^']*'", "", tag)))


def _is_balanced(token: Token, tags: StandIns) -> bool:
    """Whether each condition that opens in this block closes in it. Lines of nothing but tags stand between blocks."""
    if token.type == "inline" and token.level == 1 and tags.is_only_statements(token.content):
        return True
    depth = 0
    for word in map(keyword, tags.tags_in(token.content)):
        depth += (word == "if") - (word == "endif")
        if depth < 0 or (depth == 0 and word in {"else", "elif"}):
            return False
    return depth == 0


# --- links ------------------------------------------------------------------------------------------------------------


def _number_links(tokens: list[Token], tags: StandIns, place: Place) -> list[str]:
    """Replaces each link's address by ``{{ linkN }}``; the addresses, each once."""
    links: list[str] = []
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                _target(str(child.attrs["src"]), tags, place, _line(token, tags))
            if child.type == "link_open":
                target = _target(str(child.attrs["href"]), tags, place, _line(token, tags))
                links += [target] if target not in links else []
                child.attrs["href"] = tags.add(f"{{{{ link{links.index(target)} }}}}")
    return links


def _target(address: str, tags: StandIns, place: Place, line: int) -> str:
    if re.fullmatch(r"\{\{-?\s*asset\s*-?\}\}", tags.put_back(address)):
        return ASSET
    if tags.tags_in(address) or not is_page(address):
        what = f"the link {tags.put_back(address)!r} leads to no page"
        raise place.refusal(what, line, "write ({{ asset }}), or a fixed https:// address")
    return address


def _stand_free(tokens: list[Token], tags: StandIns) -> None:
    """Conditions around whole paragraphs lose their own ``<p>``, so that a false one leaves nothing behind."""
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.type == "paragraph_open" and tags.is_only_statements(token.content):
            before.hidden = after.hidden = True


# --- text -------------------------------------------------------------------------------------------------------------


def _letter(root: SyntaxTreeNode, tags: StandIns) -> str:
    """All blocks, an empty line after each; conditions around paragraphs swallow theirs."""
    blocks = (_block(node, tags, WIDTH) for node in root.children)
    return "".join(block if tags.is_only_statements(block) else f"{block}\n\n" for block in blocks)


def _block(node: SyntaxTreeNode, tags: StandIns, width: int) -> str:
    if node.type in {"paragraph", "heading"}:
        return _paragraph(node.children[0], tags, width)
    if node.type in {"bullet_list", "ordered_list"}:
        first = int(node.attrs.get("start", 1))
        marks = ("-" if node.type == "bullet_list" else f"{first + number}." for number in range(len(node.children)))
        return "\n".join(_hung(f"{mark} ", item, tags, width) for mark, item in zip(marks, node.children, strict=True))
    if node.type == "blockquote":
        return indent(_blocks(node, tags, width - 2), "> ", lambda line: True)
    if node.type in {"fence", "code_block"}:
        return indent(node.content.rstrip("\n"), "    ")
    return "* * *"  # a thematic break, the only other block that CommonMark has without HTML


def _blocks(node: SyntaxTreeNode, tags: StandIns, width: int) -> str:
    """What stands inside a list item or a quotation: a list follows its introduction closely."""
    blocks = [(child.type.endswith("_list"), _block(child, tags, width)) for child in node.children]
    return "".join(("\n" if is_list else "\n\n") + block for is_list, block in blocks).lstrip("\n")


def _hung(mark: str, item: SyntaxTreeNode, tags: StandIns, width: int) -> str:
    """A list item: the mark, and every further line below the first letter."""
    inner = _blocks(item, tags, width - len(mark))
    return mark + indent(inner, " " * len(mark))[len(mark) :]


def _paragraph(inline: SyntaxTreeNode, tags: StandIns, width: int) -> str:
    """The words, then the addresses of its links on lines of their own."""
    links = [node for node in inline.walk() if node.type == "link" and not _shows_its_address(node)]
    marks = {id(node): f" [{number}]" if len(links) > 1 else "" for number, node in enumerate(links, 1)}
    said = _said(inline, marks)
    if len(links) == 1 and said == _said(links[0], {}) and said[-1:].isalnum():
        said += ":"
    addresses = [f"{marks[id(node)]} {node.attrs['href']}".strip() for node in links]
    return "\n".join([_filled(said, tags, width), *addresses])


def _said(node: SyntaxTreeNode, marks: dict[int, str]) -> str:
    """What somebody would read out, with the marks of links."""
    if node.type == "link" and _shows_its_address(node):
        return str(node.attrs["href"])
    if node.type == "image":
        return f"[{node.content}]"
    if node.type in {"softbreak", "hardbreak"}:
        return " " if node.type == "softbreak" else "\n"
    if node.type in {"text", "code_inline"}:
        return node.content
    return "".join(_said(child, marks) for child in node.children) + marks.get(id(node), "")


def _shows_its_address(link: SyntaxTreeNode) -> bool:
    return link.info == "auto"


def _filled(text: str, tags: StandIns, width: int) -> str:
    """Lines of at most `width` columns, broken at spaces; breaks that were typed stay."""
    lines = []
    for typed in text.split("\n"):
        line = ""
        for word in typed.split(" "):
            longer = f"{line} {word}" if line else word
            if line and tags.width(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)
