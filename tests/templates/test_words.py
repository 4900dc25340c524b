"""What every text file of a play must be: short, about one thing, computable, current, and free of noise.

Pure text checks. They read the files as a marketer leaves them and need neither database nor flow.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from math import isclose, prod
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined, nodes

from accounts.playbook import AdCreative, Cadence, StageRule, Step, read_duration
from accounts.vocabulary import Role

PLAY = Path(__file__).parents[2] / "templates" / "plays" / "new-business"
JINJA = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 -- plain text is counted here, nothing is sent

#: Everything a marketer may write between double braces, with values as long as they get in practice.
CONTRACT: dict[str, Any] = {
    "stakeholder": {
        "first_name": "Maximiliane", "last_name": "Featherstonehaugh", "title": "Head of Operations",
        "role_label": "economic buyer",
    },
    "account": {"name": "Acme Works International", "industry": "Food processing", "territory": "DACH"},
    "rep": {"name": "Ravi Menon", "first_name": "Ravi"},
    "vendor": {"name": "Lumenflow"},
    "next_quarter": "Q2 2027",
    "asset": "https://track.lumenflow.example/c/0123456789abcdef",
}  # fmt: skip
#: The same with everything missing that a CRM may not know.
SPARSE: dict[str, Any] = {**CONTRACT, "account": {"name": "Acme", "industry": None, "territory": None}}

TOPICS = {
    "cost", "urgency", "risk", "security", "integration", "adoption", "terms", "proof", "roi", "compliance",
    "operations",
}  # fmt: skip
CALLS_TO_ACTION = {"Learn more", "Download", "Register", "Sign up", "Request demo"}

MAIL_KEYS = {
    "subject", "preheader", "roles", "step", "after", "owner", "review_by", "expires", "asset", "topics",
}  # fmt: skip
OPTIONAL_KEYS = {"not_after", "asset_title", "talking_point"}
AD_KEYS = {"headline", "description", "cta", "image_alt", "landing", "roles", "expires"}

SIGNERS = {"economic_buyer", "executive_sponsor", "decision_maker"}
CORE = {"champion", "technical_evaluator"} | SIGNERS
#: Whom each stage concerns. Blockers and people whose role nobody knows get nothing, on purpose.
CONCERNED = {
    "contacted": CORE | {"end_user"},
    "discovery": CORE | {"end_user"},
    "evaluation": CORE | {"end_user", "procurement", "legal"},
    "proposal": CORE | {"procurement", "legal"},
    "negotiation": CORE | {"procurement", "legal"},
}

#: Empty, pushy or unprovable: what a colleague would be ashamed to have sent.
NOISE = (
    "hope this", "finds you well", "checking in", "touch base", "touching base", "circle back", "following up",
    "follow up on", "bumping", "quick question", "pick your brain", "hop on a call", "per my last", "reaching out",
    "game-chang", "game chang", "cutting-edge", "cutting edge", "state-of-the-art", "best-in-class", "world-class",
    "industry-leading", "leading provider", "revolution", "seamless", "leverage", "synerg", "holistic", "robust",
    "unlock", "empower", "supercharge", "delve", "solution", "win-win", "no-brainer", "low-hanging", "deep dive",
    "act now", "last chance", "limited time", "don't miss", "hurry", "before it's too late", "only today",
    "our customers", "other customers", "our clients", "trusted by", "success story", "case study", "guarantee",
    "up to 30%", "click here", "best regards", "kind regards", "unsubscribe",
)  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A file of the play: its front matter and its body."""

    path: Path

    @cached_property
    def parts(self) -> tuple[dict[str, Any], str]:
        _, head, body = self.path.read_text("utf-8").split("---\n", 2)
        front = yaml.safe_load(head)
        assert isinstance(front, dict)
        return front, body.strip()

    @property
    def front(self) -> dict[str, Any]:
        return self.parts[0]

    @property
    def body(self) -> str:
        return self.parts[1]

    @property
    def stage(self) -> str:
        return self.path.relative_to(PLAY).parts[0]

    @property
    def key(self) -> str:
        return f"{PLAY.name}/{self.path.relative_to(PLAY).with_suffix('').as_posix()}"

    def say(self, text: str, values: dict[str, Any] = CONTRACT) -> str:
        rendered: str = JINJA.from_string(text).render(values)
        return rendered


MAILS = [Text(path) for path in sorted(PLAY.glob("*/*.md"))]
ADS = [Text(path) for path in sorted(PLAY.glob("*/ads/*.md"))]
SETTINGS: dict[str, Any] = yaml.safe_load((PLAY / "play.yaml").read_text("utf-8"))
NURTURED = [stage["key"] for stage in SETTINGS["stages"] if stage["nurtured"]]

each_mail = pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.key)
each_ad = pytest.mark.parametrize("ad", ADS, ids=lambda ad: ad.key)
each_stage = pytest.mark.parametrize("stage", NURTURED)


def as_read(markdown: str) -> str:
    """Markdown as the reader sees it: link texts without their addresses."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", markdown)


def words_in(markdown: str) -> int:
    return sum(any(letter.isalnum() for letter in word) for word in as_read(markdown).split())


def noise_in(text: str) -> list[str]:
    """Forbidden phrases, and exclamation marks."""
    plain = text.lower().replace("’", "'")
    return [phrase for phrase in (*NOISE, "!") if phrase in plain]


def variables_in(template: str) -> Iterator[str]:
    """Dotted names of all variables: ``stakeholder.first_name``."""
    tree = JINJA.parse(template)
    inner = {id(node.node) for node in tree.find_all(nodes.Getattr)}
    for attribute in tree.find_all(nodes.Getattr):
        assert isinstance(attribute.node, nodes.Name), "no variable goes deeper than one dot"
        yield f"{attribute.node.name}.{attribute.attr}"
    yield from (name.name for name in tree.find_all(nodes.Name) if id(name) not in inner)


def documented() -> set[str]:
    names = {name for name, value in CONTRACT.items() if not isinstance(value, dict)}
    return names | {f"{name}.{inner}" for name, value in CONTRACT.items() if isinstance(value, dict) for inner in value}


NUMBER = r"\d[\d,]*(?:\.\d+)?"
UNIT = r"(?:%|\s?(?:kWh|kW|EUR|hours|h|weekends|weeks|years|points))?"
SUM = re.compile(rf"({NUMBER}{UNIT}(?:\s[×+−/]\s{NUMBER}{UNIT})+)\s=\s({NUMBER})")


def calculations_in(text: str) -> list[tuple[str, str]]:
    """Each ``80 kW × 48 h × 0.18 EUR = 691`` as its left side and its result."""
    return SUM.findall(text)


def value_of(left: str) -> float:
    """The value of a left side, products before sums."""
    total, sign = 0.0, 1
    for term in re.split(r"\s([+−])\s", left):
        if term in {"+", "−"}:
            sign = 1 if term == "+" else -1
        else:
            total += sign * _product(term)
    return total


def _product(term: str) -> float:
    factors = re.split(r"\s([×/])\s", term)
    numbers = [float(re.match(NUMBER, factor)[0].replace(",", "")) for factor in factors[::2]]  # type: ignore[index]
    return prod(
        number if sign == "×" else 1 / number for number, sign in zip(numbers, ["×", *factors[1::2]], strict=True)
    )


def adds_up(left: str, result: str) -> bool:
    """Right to the last digit printed."""
    decimals = len(result.partition(".")[2])
    return isclose(value_of(left), float(result.replace(",", "")), rel_tol=0, abs_tol=0.5 * 10**-decimals)


# --- each e-mail ------------------------------------------------------------------------------------------------------


@each_mail
def test_front_matter_is_a_valid_step(mail: Text) -> None:
    assert MAIL_KEYS <= set(mail.front) <= MAIL_KEYS | OPTIONAL_KEYS
    step = Step(**{"not_after": "10d", **mail.front}, key=mail.key, stage=mail.stage, digest="0" * 64)
    assert step.roles
    assert len(set(step.roles)) == len(step.roles)
    assert 1 <= len(step.topics) <= 3
    assert set(step.topics) <= TOPICS
    assert re.fullmatch(r"[a-z]+@lumenflow\.example", step.owner), "a role address, so that it outlives a person"
    assert re.fullmatch(r"https://www\.lumenflow\.example/[a-z0-9/-]+", step.asset)


@each_mail
def test_is_reviewed_well_before_it_expires(mail: Text) -> None:
    review_by, expires = mail.front["review_by"], mail.front["expires"]
    assert isinstance(review_by, date)
    assert isinstance(expires, date)
    assert timedelta(days=60) <= expires - review_by <= timedelta(days=200)


@each_mail
@pytest.mark.parametrize("values", [CONTRACT, SPARSE], ids=["full", "sparse"])
def test_has_80_to_180_words(mail: Text, values: dict[str, Any]) -> None:
    assert 80 <= words_in(mail.say(mail.body, values)) <= 180


@each_mail
def test_has_exactly_one_link_and_it_is_the_asset(mail: Text) -> None:
    assert re.findall(r"\]\(([^)]*)\)", mail.body) == ["{{ asset }}"]
    assert mail.body.count("asset }}") == 1
    assert not re.search(r"https?://|www\.|<a |\.example", mail.body)


@each_mail
def test_subject_and_preheader_fit_and_do_not_repeat_each_other(mail: Text) -> None:
    subject, preheader = mail.say(mail.front["subject"]), mail.say(mail.front["preheader"])
    assert 10 <= len(subject) <= 60
    assert 10 <= len(preheader) <= 90
    assert subject.lower().strip(".?") not in preheader.lower()
    assert not re.search(r"\b(re|fwd?):", subject.lower())
    assert not re.search(r"\b(?!EUR|OPC|MQTT|UA|IT|OT|MES|ISO|NDA)[A-Z]{3,}\b", subject), "nobody shouts"


@each_mail
def test_greets_by_first_name_and_leaves_the_signature_to_the_layout(mail: Text) -> None:
    assert mail.body.startswith("Hi {{ stakeholder.first_name }},\n\n")
    assert "rep.name" not in mail.body
    assert "rep.first_name" not in mail.body.splitlines()[-1]


@each_mail
def test_asks_for_an_answer(mail: Text) -> None:
    last = mail.body.split("\n\n")[-1]
    assert "?" in last, "the last paragraph asks the reader something"


@each_mail
def test_says_nothing_empty_pushy_or_unprovable(mail: Text) -> None:
    assert noise_in(" ".join([mail.front["subject"], mail.front["preheader"], mail.body])) == []


@each_mail
def test_uses_only_documented_variables(mail: Text) -> None:
    whole = "\n".join([mail.front["subject"], mail.front["preheader"], mail.body])
    assert set(variables_in(whole)) <= documented()


@each_mail
def test_every_calculation_in_it_adds_up(mail: Text) -> None:
    said = mail.say(mail.body)
    found = calculations_in(said)
    assert len(found) == said.count(" = "), "write each calculation as numbers, × + − / and one result"
    assert [f"{left} = {result}" for left, result in found if not adds_up(left, result)] == []


@each_mail
def test_paragraphs_are_single_lines(mail: Text) -> None:
    """A line break inside a paragraph would survive into the text part."""
    for paragraph in mail.body.split("\n\n"):
        lines = paragraph.splitlines()
        assert len(lines) == 1 or all(re.match(r"- |\d\. ", line) for line in lines)


# --- the e-mails together ---------------------------------------------------------------------------------------------


def test_there_are_enough_of_them() -> None:
    assert len(MAILS) >= 26


def test_no_two_share_a_subject_a_preheader_or_a_slug() -> None:
    for texts in (
        [mail.front["subject"] for mail in MAILS],
        [mail.front["preheader"] for mail in MAILS],
        [mail.path.stem for mail in MAILS],
    ):
        assert [text for text, times in Counter(texts).items() if times > 1] == []


def test_folders_are_the_nurtured_stages() -> None:
    assert {mail.stage for mail in MAILS} == {ad.stage for ad in ADS} == set(NURTURED) == set(CONCERNED)


@each_stage
def test_everyone_the_stage_concerns_gets_something_and_nobody_else_does(stage: str) -> None:
    reached = {role for mail in MAILS if mail.stage == stage for role in mail.front["roles"]}
    assert CONCERNED[stage] <= reached
    assert reached <= CONCERNED[stage] | {"influencer"}


@each_stage
@pytest.mark.parametrize("role", [role.value for role in Role])
def test_steps_of_a_role_count_up_from_one(stage: str, role: str) -> None:
    steps = sorted(mail.front["step"] for mail in MAILS if mail.stage == stage and role in mail.front["roles"])
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.parametrize("role", sorted(SIGNERS | {"champion"}))
def test_champion_and_those_who_sign_get_two_steps_in_every_stage(role: str) -> None:
    steps = Counter(mail.stage for mail in MAILS if role in mail.front["roles"])
    assert all(steps[stage] >= 2 for stage in NURTURED)


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_nobody_is_offered_the_same_asset_twice(role: str) -> None:
    offered = Counter(mail.front["asset"] for mail in MAILS if role in mail.front["roles"])
    assert [asset for asset, times in offered.items() if times > 1] == []


@each_mail
def test_later_steps_respect_the_cadence_of_their_stage(mail: Text) -> None:
    rule = StageRule(**next(stage for stage in SETTINGS["stages"] if stage["key"] == mail.stage))
    assert isinstance(rule.cadence, Cadence)
    after = read_duration(mail.front["after"])
    assert isinstance(after, timedelta)
    assert mail.front["step"] == 1 or after >= rule.cadence.every


def test_reviews_are_spread_over_months() -> None:
    """So that they get done."""
    busiest = max(Counter(mail.front["review_by"] for mail in MAILS).values())
    assert busiest <= len(MAILS) / 4


def test_the_words_do_reckon() -> None:
    assert sum(len(calculations_in(mail.body)) for mail in MAILS) >= 40


# --- each ad ----------------------------------------------------------------------------------------------------------


@each_ad
def test_ad_is_complete_and_within_the_limits(ad: Text) -> None:
    assert set(ad.front) == AD_KEYS
    creative = AdCreative(**ad.front, key=ad.key, stage=ad.stage, text=ad.body)
    assert 10 <= len(creative.headline) <= 70
    assert 10 <= len(creative.description) <= 100
    assert 40 <= len(creative.text) <= 150
    assert 30 <= len(creative.image_alt) <= 125
    assert creative.cta in CALLS_TO_ACTION
    assert creative.roles
    assert re.fullmatch(r"https://www\.lumenflow\.example/[a-z0-9/-]+", creative.landing)


@each_ad
def test_ad_is_plain_text_without_noise_or_variables(ad: Text) -> None:
    whole = " ".join([ad.front["headline"], ad.front["description"], ad.front["image_alt"], ad.body])
    assert noise_in(whole) == []
    assert not re.search(r"\{[{%]|\]\(|https?://|\n", whole)


@each_ad
def test_ad_expires_no_later_than_the_e_mail_with_the_same_asset(ad: Text) -> None:
    twins = [mail.front["expires"] for mail in MAILS if mail.front["asset"] == ad.front["landing"]]
    assert twins, "an ad leads to something a rep can also talk about"
    assert ad.front["expires"] <= min(twins)


@each_stage
def test_a_stage_has_two_ads_that_reach_core_roles(stage: str) -> None:
    ads = [ad for ad in ADS if ad.stage == stage]
    assert len(ads) == 2
    assert {role for ad in ads for role in ad.front["roles"]} >= CORE
    assert len({ad.front["headline"] for ad in ads}) == 2


# --- the checks can fail ----------------------------------------------------------------------------------------------


def test_a_wrong_sum_is_noticed() -> None:
    assert calculations_in("so 80 kW × 48 h × 52 × 0.18 EUR = 35,942 EUR.") == [
        ("80 kW × 48 h × 52 × 0.18 EUR", "35,942")
    ]
    assert adds_up("80 kW × 48 h × 52 × 0.18 EUR", "35,942")
    assert not adds_up("80 kW × 48 h × 52 × 0.18 EUR", "35,492")
    assert adds_up("400 + 20 × 50", "1,400")
    assert adds_up("45,000 EUR / 35,000 EUR", "1.3")
    assert not adds_up("45,000 EUR / 35,000 EUR", "1.4")
    assert adds_up("18,000 EUR − 9,000 EUR", "9,000")


def test_noise_is_noticed() -> None:
    assert noise_in("I hope this finds you well!") == ["hope this", "finds you well", "!"]


def test_an_unknown_variable_is_noticed() -> None:
    assert set(variables_in("{{ account.revenue }} {{ quarter }}{% if asset %}{% endif %}")) == {
        "account.revenue", "quarter", "asset",
    }  # fmt: skip


def test_words_are_counted_as_read() -> None:
    assert words_in("Hi Ana,\n\n[the sheet](https://a.example/b) × 3 - **now**") == 6


# --- the manual beside the texts --------------------------------------------------------------------------------------


def test_the_readme_names_every_variable_key_topic_and_call_to_action() -> None:
    manual = (PLAY.parents[1] / "README.md").read_text("utf-8")
    assert set(re.findall(r"`\{\{ ([a-z_.]+) \}\}`", manual)) == documented()
    assert set(re.findall(r"^\| `([a-z_]+)` \|", manual, re.MULTILINE)) == MAIL_KEYS | AD_KEYS | OPTIONAL_KEYS
    assert all(topic in manual for topic in TOPICS)
    assert all(call in manual for call in CALLS_TO_ACTION)
