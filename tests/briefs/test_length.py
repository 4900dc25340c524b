"""150 words an account, counted on what is really rendered, whatever the facts are."""

import re
from datetime import timedelta
from html import unescape

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.ahead import Leaving
from accounts.briefs import Brief, write_brief
from accounts.briefs.material import (
    AccountMaterial,
    Held,
    Mail,
    Move,
    Outlook,
    Person,
    RepMaterial,
    SalesTouch,
    Sign,
    clean,
)
from accounts.briefs.saying import DID, DID_SHORT
from accounts.vocabulary import Answer, EmailStatus, HoldCause, HoldScope, Reason, Role, SignalKind
from flows.briefs.links import Links
from flows.briefs.pages import RULE, BriefPages
from flows.settings import TEMPLATES
from tests.briefs.sample import coming as planned
from tests.briefs.sample import person, ravi, sign
from tests.cast import NOW
from tests.cast import PLAY as NAME
from tests.plays import small_play

PLAY = small_play()
PAGES = BriefPages(TEMPLATES)
LINKS = Links("http://127.0.0.1:8088", "a secret of the house", rep_id=1, brief_id=9, issued_day=NOW.date())
CONTENTS = [step.key for step in PLAY.steps] + ["a-play/that-is/gone-by-now"]

names = st.text(max_size=60).map(lambda text: clean(text) or "?") | st.lists(
    st.sampled_from(["von", "und", "zu", "García", "O'Brien", "<b>", "李", "&amp;"]), min_size=1, max_size=30
).map(" ".join)
moments = st.timedeltas(timedelta(days=-90), timedelta(days=1)).map(lambda ago: NOW + ago)
coming = st.timedeltas(timedelta(days=-2), timedelta(days=30)).map(lambda ahead: NOW + ahead)
contents = st.sampled_from(CONTENTS)
keys = st.integers(1, 9999)
somebody = st.none() | st.integers(1, 14)

signs = st.builds(
    Sign, keys, st.sampled_from(list(DID)), somebody, moments, st.none() | contents, st.booleans()
)  # fmt: skip
acts = st.builds(Sign, keys, st.sampled_from(list(DID_SHORT)), somebody, moments)
outlooks = st.builds(Outlook, st.sampled_from(Answer), st.none() | st.sampled_from(Reason), st.none() | contents)
people = st.builds(
    Person,
    id=st.integers(1, 14),
    name=names,
    email=st.sampled_from(["o'brien@acme.example", "x" * 64 + "@acme.example"]),
    role=st.sampled_from(Role),
    email_status=st.sampled_from(EmailStatus),
    opted_out_at=st.none() | moments,
    last_sign=st.none() | acts,
    outlook=st.none() | outlooks,
    leaving=st.lists(st.builds(Leaving, coming, st.integers(1, 14), contents), max_size=2).map(tuple),
    is_braked=st.booleans(),
    touches=st.lists(keys, max_size=9).map(tuple),
)
accounts = st.builds(
    AccountMaterial,
    id=keys,
    key=names,
    name=names,
    stage=st.sampled_from([stage.key for stage in PLAY.stages] + ["a stage of another play with many words"]),
    people=st.lists(people, max_size=14, unique_by=lambda one: one.id).map(tuple),
    signs=st.lists(signs, max_size=12).map(tuple),
    mails=st.lists(st.builds(Mail, keys, st.integers(1, 14), contents, moments), max_size=8).map(tuple),
    moves=st.lists(
        st.builds(Move, keys, st.none() | names, names, moments, st.none() | names), max_size=3
    ).map(tuple),
    holds=st.lists(
        st.builds(Held, keys, st.sampled_from(HoldScope), somebody, st.sampled_from(HoldCause), names, moments,
                  st.none() | coming, st.none() | moments),
        max_size=3,
    ).map(tuple),
    sales_touch=st.none() | st.builds(SalesTouch, keys, st.sampled_from(["call", "meeting"]), somebody, moments),
)  # fmt: skip
reps = st.builds(
    RepMaterial,
    id=keys,
    name=names,
    email=st.just("ravi@lumenflow.example"),
    timezone=st.sampled_from([None, "Asia/Kolkata", "America/St_Johns", "nowhere"]),
    since=st.just(NOW - timedelta(days=1)),
    is_first=st.booleans(),
    accounts=st.lists(accounts, min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(reps)
def test_never_more_than_150_words_an_account_and_no_statement_without_proof(rep: RepMaterial) -> None:
    brief = write_brief(rep, PLAY, NOW)
    if brief is None:
        return
    assert len(brief.accounts) <= 5
    said = sections_of_text(brief)
    shown = sections_of_html(brief)
    assert len(said) == len(shown) == len(brief.accounts)
    for account, text, html in zip(brief.accounts, said, shown, strict=True):
        assert len(text.split()) <= 150
        assert len(html.split()) <= 150
        assert len(text.split()) == account.words, "what is counted is what is rendered"
        assert all(statement.evidence for statement in account.statements())
        assert account.news or account.sent or account.more_news, "an account without news is in no brief"


def test_an_account_with_much_to_say_uses_the_room_there_is() -> None:
    people = tuple(
        person(n, f"Anna Maria Person{n}", Role.END_USER, leaving=planned(n, 2, "evaluation/pilot")) for n in range(30)
    )
    signs = tuple(sign(SignalKind.DOWNLOADED, n, 0.1, "evaluation/pilot") for n in range(30))
    mails = tuple(Mail(n, n, f"{NAME}/evaluation/pilot", NOW - timedelta(hours=n)) for n in range(30))
    brief = write_brief(ravi(AccountMaterial(1, "acme", "Acme Works", "evaluation", people, signs, mails)), PLAY, NOW)
    assert brief is not None
    assert 135 <= brief.accounts[0].words <= 150


def sections_of_text(brief: Brief) -> list[str]:
    """The rendered text of each account: what stands between two rules; addresses of links are no words."""
    return [re.sub(r"http\S+", "", text) for text in PAGES.text(brief, LINKS).split(f"\n{RULE}\n")[1:-1]]


def sections_of_html(brief: Brief) -> list[str]:
    """The visible words of each account's card."""
    body = re.sub(r"<style.*?</style>", "", PAGES.html(brief, LINKS), flags=re.DOTALL)
    cards = re.split(r'<table class="card"', body)[1:]
    return [unescape(re.sub(r"<[^>]*>", " ", "<" + card.split('<td class="space"')[0])) for card in cards]
