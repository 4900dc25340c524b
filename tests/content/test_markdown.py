"""Markdown becomes HTML, and a text that somebody might have typed; Jinja2 tags live through both."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.errors import ContentRefused
from flows.content.markdown import WIDTH, Words, compile_markdown
from flows.content.variables import CONTRACT, Place, environment

HERE = Place("why-now.md", 20)


def words(source: str) -> Words:
    return compile_markdown(source, HERE)


def filled(source: str, **values: object) -> tuple[str, str]:
    """HTML and text with the contract's values."""
    compiled, links = words(source), {f"link{number}": f"https://m.example/c/{number}" for number in range(9)}
    values = {**CONTRACT, **links, **values}
    return tuple(
        environment(autoescape=escape).from_string(part).render(values)
        for escape, part in ((True, compiled.html), (False, compiled.text))
    )  # type: ignore[return-value]


def test_variables_live_through_emphasis_code_headings_and_lists() -> None:
    html, text = filled("# {{ account.name }}\n\n- **{{ next_quarter }}**, _{{ rep.name }}_, `{{ vendor.name }}`")
    assert html == (
        "<h1>Acme Works International</h1>\n<ul>\n<li><strong>Q2 2027</strong>, <em>Ravi Menon</em>, "
        "<code>Lumenflow</code></li>\n</ul>"
    )
    assert text == "Acme Works International\n\n- Q2 2027, Ravi Menon, Lumenflow"


def test_the_address_of_the_only_link_stands_below_its_paragraph() -> None:
    html, text = filled("[The page]({{ asset }}) takes four inputs.\n\nAnd then?")
    assert text == "The page takes four inputs.\nhttps://m.example/c/0\n\nAnd then?"
    assert '<a href="https://m.example/c/0">The page</a> takes' in html


def test_a_paragraph_that_is_a_link_ends_with_a_colon_in_the_text() -> None:
    assert filled("[Read the page]({{ asset }})")[1] == "Read the page:\nhttps://m.example/c/0"
    assert filled("[Which page?]({{ asset }})")[1] == "Which page?\nhttps://m.example/c/0"


def test_several_links_in_a_paragraph_are_numbered() -> None:
    text = filled("See [one](https://a.example/1) and [two]({{asset}}).")[1]
    assert text == "See one [1] and two [2].\n[1] https://m.example/c/0\n[2] https://m.example/c/1"


def test_an_address_that_is_shown_is_written_once() -> None:
    assert filled("See <https://a.example/1> now.")[1] == "See https://m.example/c/0 now."


def test_links_are_found_in_their_order_each_target_once() -> None:
    source = "[a](https://a.example/1?x=1&y=2)\n\n[b]({{ asset }}) [c](https://a.example/1?x=1&y=2)"
    assert words(source).links == ("https://a.example/1?x=1&y=2", "asset")
    assert "link2" not in words(source).html


def test_lists_quotations_and_breaks_look_typed() -> None:
    source = "Two things:\n\n1. first\n2. second\n   - inner\n\n> said\n> again\n\n***\n\nend  \nline\nsame"
    assert filled(source)[1] == (
        "Two things:\n\n1. first\n2. second\n   - inner\n\n> said again\n\n* * *\n\nend\nline same"
    )


def test_lines_of_the_text_are_broken_at_spaces_with_variables_at_their_usual_length() -> None:
    text = filled("word " * 60 + "{{ account.name }} " * 6 + "- and\n\n- " + "item " * 40)[1]
    assert max(map(len, text.splitlines())) <= WIDTH
    assert all(len(line) > WIDTH - 30 for line in text.split("\n\n")[0].splitlines()[:-1])
    assert all(line.startswith("  ") for line in text.split("\n\n")[1].splitlines()[1:])


@pytest.mark.parametrize("blank", ["\n", "\n\n"])
def test_a_condition_around_a_paragraph_leaves_nothing_behind(blank: str) -> None:
    source = blank.join(["One.", "{% if account.industry %}", "Two.", "{% else %}", "Else.", "{% endif %}", "Three."])
    assert filled(source)[1] == "One.\n\nTwo.\n\nThree."
    html, text = filled(source, account={"industry": ""})
    assert text == "One.\n\nElse.\n\nThree."
    assert "<p></p>" not in html
    assert html.count("<p>") == html.count("</p>") == 3


def test_a_condition_around_a_list_item_keeps_the_list_whole() -> None:
    source = "- a\n{% if account.industry %}\n- b\n{% endif %}\n- c"
    html, text = filled(source)
    assert [line for line in text.splitlines() if line] == ["- a", "- b", "- c"]
    assert html.count("<ul>") == html.count("</ul>")


def test_a_condition_inside_a_paragraph_stays_inside() -> None:
    html, _ = filled("We {% if account.industry %}know *food*{% else %}ask{% endif %}.")
    assert html == "<p>We know <em>food</em>.</p>"


def test_notes_of_the_writer_are_not_sent() -> None:
    html, text = filled("One.{# for me\nonly #}\n\nTwo.")
    assert text == "One.\n\nTwo."
    assert "only" not in html


def test_values_are_escaped_in_html_and_plain_in_text() -> None:
    html, text = filled("Dear {{ account.name }} & co, 1 < 2", account={"name": "<b>A&B</b> **x**"})
    assert html == "<p>Dear &lt;b&gt;A&amp;B&lt;/b&gt; **x** &amp; co, 1 &lt; 2</p>"
    assert text == "Dear <b>A&B</b> **x** & co, 1 < 2"


@pytest.mark.parametrize(
    "typed", [r"\{\{ account.name }}", "&#123;{ account.name }}", "&#123;% if x %}", "&#123;# note #}"]
)
def test_braces_that_were_escaped_stay_braces(typed: str) -> None:
    html, text = filled(f"a {typed} b")
    assert text.startswith("a {")
    assert "Acme" not in text + html


@given(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("*_[]()<>{}%#\\`!|&;-+1. \n")), max_size=80
    )
)
@example("xqx0x {{ account.name }} xqx1x")
@example("XQ {{ account.name }}")
@example("*{{ account.name }}*\n***\n{{ next_quarter }}")
def test_whatever_is_typed_becomes_two_templates_that_can_be_filled_in(text: str) -> None:
    try:
        environment(autoescape=False).parse(text)
        compiled = words(text)
    except Exception as error:
        assert type(error).__name__ in {"ContentRefused", "TemplateSyntaxError"}  # noqa: PT017 -- both are answers
        return
    for part in (compiled.html, compiled.text):
        environment(autoescape=True).parse(part)


REFUSED = {
    "html block": ("Hi\n\n<div>x</div>", "HTML is not read here", 22),
    "html in a line": ("Hi\n\nsome <b>bold</b>", "HTML is not read here: <b>", 22),
    "script": ("<script>alert(1)</script>", "HTML is not read here", 20),
    "link without https": ("\nsee [x](http://a.example)", "leads to no page", 21),
    "script link": ("[x](data:text/plain,x)", "leads to no page", 20),
    "link with a person in it": ("[x](https://a.example/{{ account.name }})", "leads to no page", 20),
    "link to a broken address": ("[x](https://[a)", "leads to no page", 20),
    "link to a word": ("[x](page)", "leads to no page", 20),
    "asset outside a link": ("a\n\n{{ asset }}", "{{ asset }} stands outside a link", 22),
    "asset in a condition": ("{% if asset %}\nx\n{% endif %}", "{{ asset }} stands outside a link", 20),
    "picture without words": ("![](https://a.example/p.png)", "words for who cannot see it", 20),
    "picture from nowhere": ("![a dog](p.png)", "leads to no page", 20),
    "condition across paragraphs": ("a {% if account.name %}b\n\nc{% endif %}", "ends in another", 20),
    "condition across items": ("- a {% if account.name %}b\n- c{% endif %}", "ends in another", 20),
    "condition out of a quotation": ("> {% if account.name %}\n\nx\n\n> {% endif %}", "ends in another", 20),
    "condition out of code": ("    {% if account.name %}x\n\nx{% endif %}", "ends in another", 20),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_sent_is_refused_with_its_line(case: tuple[str, str, int]) -> None:
    source, what, line = case
    with pytest.raises(ContentRefused, match=r"\(.+\)") as caught:
        words(source)
    assert what in caught.value.what
    assert caught.value.where == f"why-now.md:{line}"


def test_lines_are_counted_past_conditions_on_their_own_lines() -> None:
    with pytest.raises(ContentRefused) as caught:
        words("a\n{% if account.name %}\nb\n{% endif %}\n{# two\nlines #}\n[x](page)")
    assert caught.value.where == "why-now.md:26"
