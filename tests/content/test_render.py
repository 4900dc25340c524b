"""Every file of the shipped play renders for everybody, and what comes out is what a person should get."""

import re
from binascii import a2b_qp
from functools import cache
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.errors import ContentRefused, NotFound
from accounts.ledger.sending.links import Link
from accounts.playfiles import load_play
from flows.content.prepare import flat
from flows.content.render import Compiled, Facts, Message, compile_play, read_layout
from flows.content.variables import CONTRACT, FILTERS, LAYOUT_CONTRACT, MISSING, OPTIONAL
from tests.content.desk import WHY_NOW, lay_out, spoil

TEMPLATES = Path(__file__).parents[2] / "templates"
NEW_BUSINESS = load_play(TEMPLATES / "plays" / "new-business")
KEYS = [step.key for step in NEW_BUSINESS.steps]


@cache
def compiled() -> Compiled:
    """Made by the process that tests it, not by all that look for tests."""
    return compile_play(NEW_BUSINESS, TEMPLATES)


def context(**facts: str | None) -> Facts:
    """The documented contract by its flat names; `facts` replace some of it, None for what nobody knows."""
    links = {f"link{number}": f"https://mail.example/c/link-{number}" for number in range(3)}
    unknown = {name: MISSING[f"{name.replace('_', '.', 1)}"] for name, value in facts.items() if value is None}
    assert facts.keys() <= flat(CONTRACT).keys()
    return {**flat(LAYOUT_CONTRACT), **links, **facts, **unknown}


NOBODY_KNOWS = {name.replace(".", "_"): None for name in OPTIONAL}


class Page(HTMLParser):
    """The tags of a page with their attributes, and what somebody reads on it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(source)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "hr", "img"}:
            self.open.append(tag)
        self.words += "\n" * (tag == "br")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("facts", [{}, NOBODY_KNOWS], ids=["everything known", "nothing known"])
@pytest.mark.parametrize("key", KEYS)
def test_every_file_renders_for_everybody(key: str, facts: dict[str, None]) -> None:
    message, typed = compiled().render(key, context(**facts)), compiled().content(key).step.body
    for part in (message.subject, message.preheader, message.html, message.text):
        assert part.strip()
        assert part.count("None") in (0, typed.count("None"))
        assert "{{" not in part
        assert not re.search(r"xq+x\d", part), "no stand-in is left"
    assert "\n" not in message.subject
    assert message.text.endswith("\n")


@pytest.mark.parametrize("key", KEYS)
def test_every_mail_has_what_it_must_carry(key: str) -> None:
    message = compiled().render(key, context())
    page = Page(message.html)
    for words in (squeezed(page.words), squeezed(message.text)):
        assert "You get this because Acme Works International and Ravi Menon of Lumenflow are in contact" in words
        assert LAYOUT_CONTRACT["vendor"]["postal_address"] in words
        assert "Ravi Menon Lumenflow" in words
    addresses = [link["href"] for link in page.attributes("a")]
    for address in ("unsubscribe_url", "privacy_url"):
        url = LAYOUT_CONTRACT.get(address) or LAYOUT_CONTRACT["vendor"][address]
        assert url in addresses
        assert url in message.text.splitlines()


@pytest.mark.parametrize("key", KEYS)
def test_every_link_of_the_words_is_tracked_in_both_parts(key: str) -> None:
    message = compiled().render(key, context())
    for number, target in enumerate(compiled().links(key)):
        assert target.startswith("https://")
        assert f'href="https://mail.example/c/link-{number}"' in message.html
        assert f"https://mail.example/c/link-{number}" in message.text
        assert target not in message.html + message.text


@pytest.mark.parametrize("key", KEYS)
def test_both_parts_say_the_same(key: str) -> None:
    message = compiled().render(key, context())
    in_html = squeezed(Page(message.html).words.replace(message.preheader, "", 1)).replace("•", "")
    for line in message.text.split("\n\n--\n")[0].splitlines():
        said = re.sub(r"^(- |\d+\. )", "", line.strip()).removesuffix(":")
        assert said.startswith("https://") or squeezed(said) in in_html


@pytest.mark.parametrize("key", KEYS)
def test_every_page_is_one_that_everybody_can_read(key: str) -> None:
    """Language, roles of layout tables, both colour schemes, letters of 14 px and more, nothing from elsewhere."""
    message = compiled().render(key, context())
    page = Page(message.html)
    assert page.attributes("html")[0]["lang"] == "en"
    assert all(table["role"] == "presentation" for table in page.attributes("table"))
    assert all(image.get("alt") or image["width"] == "1" for image in page.attributes("img")), "a pixel says nothing"
    assert {"name": "color-scheme", "content": "light dark"} in page.attributes("meta")
    assert "@media (prefers-color-scheme: dark)" in message.html
    assert squeezed(re.search(r"<title>(.*)</title>", message.html)[1])  # type: ignore[index]
    assert not page.attributes("script") + page.attributes("link") + page.attributes("form")
    assert len(message.html) < 102_000, "longer ones are cut off by some mail programs"


@pytest.mark.parametrize("key", KEYS)
def test_styles_stand_on_the_elements(key: str) -> None:
    """Many mail programs throw style blocks away; what is left must still look right."""
    page = Page(compiled().render(key, context()).html)
    for tag in ("body", "td", "p", "a"):
        assert all(attributes.get("style") for attributes in page.attributes(tag))


@pytest.mark.parametrize("key", KEYS)
def test_the_text_reads_as_if_typed(key: str) -> None:
    text = compiled().render(key, context()).text
    assert not re.search(r"\*\*|\]\(|<\w|&\w+;|\n\n\n|[ \t]\n", text)
    lines = [line for line in text.splitlines() if not line.startswith("https://")]
    assert max(map(len, lines)) <= 78


@pytest.mark.parametrize(
    ("greeting", "nameless"),
    [
        ("Hi {{ stakeholder.first_name }},", "Hi there,"),
        ("Hello {{stakeholder.first_name}},", "Hello,"),
        ("Dear {{ stakeholder.first_name }}:", "Hello:"),
        ("Good morning {{ stakeholder.first_name }}, and welcome.", "Good morning, and welcome."),
        ("Grüß Gott {{ stakeholder.first_name }}!", "Grüß Gott!"),
    ],
)
def test_a_person_without_a_name_is_greeted_decently(tmp_path: Path, greeting: str, nameless: str) -> None:
    play = lay_out(tmp_path, **{"discovery__why-now.md": WHY_NOW.replace("Hi {{ stakeholder.first_name }},", greeting)})
    compiled = compile_play(load_play(play), TEMPLATES)
    unnamed = compiled.render("small/discovery/why-now", context(stakeholder_first_name=None))
    assert unnamed.text.startswith(nameless)
    assert f">{nameless}</p>" in unnamed.html
    named = compiled.render("small/discovery/why-now", context(stakeholder_first_name="Zoë"))
    assert named.text.startswith(re.sub(r"\{\{.*?\}\}", "Zoë", greeting))


def test_values_from_a_crm_are_words_and_nothing_else() -> None:
    nasty = '<script>alert("x")</script> & {{ 7 * 7 }} **bold** [x](https://evil.example)'
    message = compiled().render("new-business/discovery/why-now", context(account_name=nasty))
    assert "<script" not in message.html
    assert "&lt;script&gt;" in message.html
    assert "49" not in message.subject
    assert "evil.example)" in message.subject
    assert [link["href"] for link in Page(message.html).attributes("a") if "evil" in str(link["href"])] == []


def test_a_missing_fact_that_slipped_through_stops_the_mail_and_not_the_reader(tmp_path: Path) -> None:
    """A value compared with another variable is beyond what the desk can try out; sending still refuses."""
    words = WHY_NOW.replace(
        "Waiting has a price.", "{% if account.name == next_quarter %}{{ stakeholder.title }}{% endif %} Waiting."
    )
    compiled = compile_play(load_play(lay_out(tmp_path, **{"discovery__why-now.md": words})), TEMPLATES)
    odd = context(account_name=LAYOUT_CONTRACT["next_quarter"], stakeholder_title=None)
    with pytest.raises(ContentRefused, match=r"small/discovery/why-now: .*stakeholder\.title is not known"):
        compiled.render("small/discovery/why-now", odd)


#: A line end is one character: a lone carriage return before one would read as half of a pair in one form only.
values = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), st.sampled_from('= .\n\t<&"')),
    max_size=120,
)


@given(st.sampled_from(KEYS), values, values, values)
@example(KEYS[0], "=" * 80, " x ", "a\r\nb\n")
@example(KEYS[0], ".", "", "é" * 100)
@example(KEYS[0], "x" * 75, "x" * 76, "x" * 77)
@example(KEYS[0], "", "", "00'\x1f" + "\x80" * 7 + "𐀀𐀀0\x80\x80ࠀ" + "𐀀" * 5 + " ")  # the encoder's last line is full
def test_what_is_sent_is_what_is_rendered(key: str, first: str, account: str, rep: str) -> None:
    """The quoted-printable templates of sending say letter for letter what the plain ones of preview say."""
    facts = context(stakeholder_first_name=first, account_name=account, rep_name=rep)
    message, quoted = compiled().render(key, facts), compiled().quote(key, facts)
    assert quoted.subject == message.subject
    for sent, rendered in ((quoted.text, message.text), (quoted.html, message.html)):
        assert a2b_qp(sent).decode() == re.sub(r"\r\n|\r|\n", "\r\n", rendered)
        assert max(map(len, sent.split("\r\n"))) <= 76, "RFC 2045, 6.7"
        assert not re.search(r"[ \t]\r\n", sent)


def test_what_nobody_knows_is_not_sent_either(tmp_path: Path) -> None:
    words = WHY_NOW.replace(
        "Waiting has", "{% if account.name == next_quarter %}{{ stakeholder.title }}{% endif %} It has"
    )
    compiled = compile_play(load_play(lay_out(tmp_path, **{"discovery__why-now.md": words})), TEMPLATES)
    odd = context(account_name=CONTRACT["next_quarter"], stakeholder_title=None)
    with pytest.raises(ContentRefused, match=r"stakeholder\.title is not known"):
        compiled.quote("small/discovery/why-now", odd)


def test_an_unknown_content_names_the_nearest_one() -> None:
    with pytest.raises(NotFound, match="did you mean 'new-business/discovery/why-now'"):
        compiled().render("new-business/discovery/why-nw", context())


def test_a_subject_without_variables_is_left_as_it_is(tmp_path: Path) -> None:
    play = lay_out(tmp_path)
    spoil(play, "discovery/why-now.md", '"{{ account.name }}: what waiting costs"', '"R&D: <costs> 100 %"')
    message = compile_play(load_play(play), TEMPLATES).render("small/discovery/why-now", context())
    assert message.subject == "R&D: <costs> 100 %"
    assert "<title>R&amp;D: &lt;costs&gt; 100 %</title>" in message.html


@pytest.mark.parametrize(
    ("old", "new", "words", "cure"),
    [
        ("{{ account.name }}: what", "{{ acount.name }}: what", "{{ acount.name }}", "account.name"),
        ("{{ account.name }}: what", "{{ stakeholder.first_name }}: what", "not known for everybody", "{% if"),
        ("One page, no form.", '"{{ asset }}"', "{{ asset }}", "valid:"),
        ("Waiting has a price.", "{{ stakeholder.salutation }}", "{{ stakeholder.salutation }}", "stakeholder."),
        ("Waiting has a price.", "{% if account.name %}Waiting", "end of template", "braces"),
        ("Waiting has a price.", "Waiting <b>has</b> a price.", "HTML", "Markdown"),
        ("({{ asset }})", "(http://www.lumenflow.example)", "leads to no page", "https"),
        ("({{ asset }})", "({{ unsubscribe_url }})", "{{ unsubscribe_url }}", "valid:"),
    ],
)
def test_a_mistake_in_the_words_stops_with_file_line_and_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: str, cure: str
) -> None:
    monkeypatch.chdir(tmp_path)
    play = lay_out(tmp_path)
    line = spoil(play, "discovery/why-now.md", old, new)
    with pytest.raises(ContentRefused) as caught:
        compile_play(load_play(play), TEMPLATES)
    assert words in caught.value.what
    assert cure in str(caught.value.cure)
    assert caught.value.where == f"small/discovery/why-now.md:{line}"


@pytest.mark.parametrize("file", ["email.html", "email.txt"])
@pytest.mark.parametrize("gone", ["{{ body }}", "{{ unsubscribe_url }}", "{{ vendor.postal_address }}"])
def test_a_layout_without_what_the_law_asks_for_is_refused(tmp_path: Path, file: str, gone: str) -> None:
    layout = _copied_layout(tmp_path)
    (layout / file).write_text((layout / file).read_text("utf-8").replace(gone, ""), "utf-8")
    with pytest.raises(ContentRefused, match=re.escape(f"does not show {gone}")) as caught:
        read_layout(layout)
    assert str(caught.value.where).endswith(file)


def test_a_layout_with_a_mistake_stops_with_its_line(tmp_path: Path) -> None:
    layout = _copied_layout(tmp_path)
    (layout / "email.txt").write_text("{{ body }}\n\n{{ rep.phone }}\n", "utf-8")
    with pytest.raises(ContentRefused, match=r"email\.txt:3: unknown variable \{\{ rep\.phone \}\}"):
        read_layout(layout)


def test_a_layout_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentRefused, match=r"email\.html: there is no layout"):
        read_layout(tmp_path)


def test_one_content_can_be_compiled_alone_and_is_the_same() -> None:
    key = "new-business/discovery/why-now"
    alone = compile_play(NEW_BUSINESS, TEMPLATES, only=key)
    assert list(alone.contents) == [key]
    assert alone.render(key, context()) == compiled().render(key, context())


def test_rendering_twice_gives_the_same() -> None:
    key, again = KEYS[0], compile_play(NEW_BUSINESS, TEMPLATES)
    first: Message = compiled().render(key, context())
    assert first == compiled().render(key, context()) == again.render(key, context())


def test_links_are_noted_by_the_digest_of_their_content() -> None:
    assert compiled().links_by_digest() == {
        step.digest: [Link(url, step.asset_title) for url in compiled().links(step.key)] for step in NEW_BUSINESS.steps
    }


@pytest.mark.parametrize(
    ("ink", "paper", "scheme"),
    [
        ("#1b2430", "#ffffff", "letter"), ("#1746b3", "#ffffff", "its links"), ("#55616f", "#ffffff", "firm"),
        ("#4a5563", "#eef1f4", "footer"), ("#33475e", "#eef1f4", "its links"),
        ("#e4e9ef", "#1a212a", "letter at night"), ("#9dbdff", "#1a212a", "its links"), ("#aab5c1", "#1a212a", "firm"),
        ("#aab5c1", "#0f141a", "footer at night"), ("#c9d6e6", "#0f141a", "its links"),
    ],
)  # fmt: skip
def test_letters_stand_out_from_their_ground(ink: str, paper: str, scheme: str) -> None:
    """WCAG 2.2 AA asks for 4.5 : 1; the colours are those of the layout."""
    layout = (TEMPLATES / "layout" / "email.html").read_text("utf-8")
    assert ink in layout
    assert paper in layout
    light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5, scheme


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _copied_layout(folder: Path) -> Path:
    layout = folder / "layout"
    layout.mkdir()
    for name, part in product(["email"], ["html", "txt"]):
        text = (TEMPLATES / "layout" / f"{name}.{part}").read_text("utf-8")
        (layout / f"{name}.{part}").write_text(text, "utf-8")
    return layout


def test_what_the_manual_for_writers_promises_is_so(tmp_path: Path) -> None:
    manual = (TEMPLATES / "README.md").read_text("utf-8")
    example = re.search(r"```\n(\{% if.*?)```", manual, re.DOTALL)
    assert example
    filters = '{{ account.name | upper | trim | replace("a", "b") | truncate(40) | default("x") }}'
    words = WHY_NOW.replace("Waiting has a price.", f"{example[1]}\n{filters} {{# note #}}")
    compiled = compile_play(load_play(lay_out(tmp_path, **{"discovery__why-now.md": words})), TEMPLATES)
    known, unknown = (
        compiled.render("small/discovery/why-now", context(account_industry=industry)).text
        for industry in ("Food", None)
    )
    assert "In food the night shift decides it." in known
    assert "night shift" not in unknown
    assert "ACME WORKS INTERNATIONAL\n" in known
    for name in ("upper", "lower", "title", "capitalize", "trim", "replace", "truncate", "default"):
        assert f"`{name}" in manual
        assert name in FILTERS
