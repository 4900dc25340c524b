"""What a marketer may write between braces is found, and everything else is refused with its line and a cure."""

from dataclasses import dataclass

import pytest

from accounts.errors import ContentRefused
from flows.content.variables import (
    CONTRACT,
    MISSING,
    OPTIONAL,
    Place,
    check,
    environment,
    names_of,
    value_of,
    with_values,
)

HERE = Place("discovery/why-now.md", 10)


def test_every_documented_variable_is_taken() -> None:
    required = [name for name in names_of(CONTRACT) if name not in OPTIONAL]
    assert check(" ".join(f"{{{{ {name} }}}}" for name in required), HERE) == frozenset(required)


@pytest.mark.parametrize("name", sorted(OPTIONAL))
@pytest.mark.parametrize(
    "guarded",
    [
        "{{{{ {0} or 'x' }}}}",
        "{{% if {0} %}}{{{{ {0} }}}}{{% endif %}}",
        "{{{{ {0} | default('x') }}}}",
        "{{{{ {0} if {0} else 'x' }}}}",
        "{{% if not {0} %}}x{{% else %}}{{{{ {0} | upper }}}}{{% endif %}}",
        "{{% if {0} is defined %}}{{{{ {0} }}}}{{% endif %}}",
        "{{% if {0} == 'Food' %}}{{{{ {0} }}}}{{% endif %}}",
    ],
)
def test_a_fact_that_may_be_unknown_is_taken_when_it_is_guarded(name: str, guarded: str) -> None:
    assert check(guarded.format(name), HERE) == frozenset({name})


@dataclass(frozen=True)
class Mistake:
    source: str
    words: str
    cure: str
    line: int = 10


MISTAKES = [
    Mistake("{{ stakeholder.frist_name }}", "unknown variable {{ stakeholder.frist_name }}", "stakeholder.first_name"),
    Mistake("fine\n\n{{ accuont.name }}", "unknown variable {{ accuont.name }}", "did you mean 'account.name'", 12),
    Mistake("{{ quarter }}", "unknown variable {{ quarter }}", "did you mean 'next_quarter'"),
    Mistake("{{ account }}", "{{ account }} is a group", "account.name"),
    Mistake("{{ account.name.first }}", "unknown variable {{ account.name.first }}", "account.name"),
    Mistake("{% if deal %}x{% endif %}", "unknown variable {{ deal }}", "valid:"),
    Mistake("a\n{{ stakeholder.title }}", "{{ stakeholder.title }} is not known for everybody", "{% if", 11),
    Mistake("{% if account.industry %}\n{{ stakeholder.title }}\n{% endif %}", "{{ stakeholder.title }}", "{% if", 11),
    Mistake("{% if account.industry == 'Food' %}\n{{ account.territory }}{% endif %}", "territory", "{% if", 11),
    Mistake("{% if stakeholder.role_label == 'legal' %}{{ account.territory }}{% endif %}", "territory", "{% if"),
    Mistake("{{ stakeholder.title | upper }}", "{{ stakeholder.title }} is not known for everybody", "or"),
    Mistake("{{ account.name | uper }}", "unknown filter 'uper'", "did you mean 'upper'"),
    Mistake("{{ account.name | safe }}", "unknown filter 'safe'", "valid:"),
    Mistake("{{ account.name | replace('x') }}", "cannot be filled in", "filter"),
    Mistake("{% if account.name is odd %}{% endif %}", "unknown test 'odd'", "valid:"),
    Mistake("{{ account.name", "unexpected end of template", "braces"),
    Mistake("fine\n{% if account.name %}", "Unexpected end of template", "braces", 11),
    Mistake("{% endif %}", "unknown tag 'endif'", "braces"),
    Mistake("{% for letter in account.name %}{% endfor %}", "'for' is not read here", "only"),
    Mistake("{% set name = account.name %}", "'assign' is not read here", "only"),
    Mistake("{% include 'other.md' %}", "'include' is not read here", "only"),
    Mistake("{% raw %}{{ x }}{% endraw %}{{ account.name.upper() }}", "'call' is not read here", "only"),
    Mistake("{{ account['name'] }}", "'getitem' is not read here", "only"),
    Mistake("{{ range(9) }}", "'call' is not read here", "only"),
    Mistake("{{ ''.__class__ }}", "unknown variable", "valid:"),
    Mistake(
        "".join(f"{{% if account.industry == '{n}' %}}{{% endif %}}" for n in range(200)), "too many", "two contents"
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.source[:50])
def test_a_mistake_is_refused_with_its_line_and_a_cure(mistake: Mistake) -> None:
    with pytest.raises(ContentRefused) as caught:
        check(mistake.source, HERE)
    error = caught.value
    assert mistake.words.lower() in error.what.lower()
    assert mistake.cure in str(error.cure)
    assert error.where == f"discovery/why-now.md:{mistake.line}"
    assert "\n" not in str(error)


def test_what_nobody_knows_is_never_printed() -> None:
    values = with_values(CONTRACT, {"account.industry": MISSING["account.industry"]})
    for autoescape in (True, False):
        template = environment(autoescape=autoescape).from_string("for {{ account.industry }}")
        with pytest.raises(Exception, match=r"account\.industry is not known for everybody"):
            template.render(values)


def test_the_sandbox_stays_shut() -> None:
    template = environment(autoescape=False).from_string("{{ account.name.__class__.__mro__ }}")
    with pytest.raises(Exception, match="__class__"):
        template.render(CONTRACT)


def test_values_of_the_contract_are_found_by_their_dotted_name() -> None:
    assert value_of(CONTRACT, "account.name") == "Acme Works International"
    assert value_of(with_values(CONTRACT, {"next_quarter": "Q1 2030"}), "next_quarter") == "Q1 2030"
