"""Reading a play: everything in it becomes a value, and every mistake stops with file, line and cure."""

import hashlib
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import ContentRefused, NotFound
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.vocabulary import Role, SignalKind
from tests.content.desk import FILES, WHY_NOW, lay_out, spoil

NEW_BUSINESS = Path(__file__).parents[2] / "templates" / "plays" / "new-business"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small play, and a marketer who stands beside it."""
    monkeypatch.chdir(tmp_path)
    return lay_out(tmp_path)


def refusal(play: Path) -> ContentRefused:
    with pytest.raises(ContentRefused) as caught:
        load_play(play)
    assert "\n" not in str(caught.value), "one line"
    assert caught.value.cure, "every refusal says how to mend it"
    return caught.value


# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_shipped_play_is_complete() -> None:
    play = load_play(NEW_BUSINESS)
    nurtured = {stage.key for stage in play.stages if stage.nurtured}
    assert len(nurtured) == 5
    assert len(play.steps) >= 24
    assert {step.stage for step in play.steps} == nurtured
    assert all(sum(ad.stage == stage for ad in play.creatives) == 2 for stage in nurtured)


def test_a_step_carries_its_front_matter_its_text_and_its_place(desk: Path) -> None:
    (step,) = load_play(desk).steps
    assert (step.key, step.slug, step.stage) == ("small/discovery/why-now", "why-now", "discovery")
    assert step.roles == (Role.CHAMPION, Role.ECONOMIC_BUYER)
    assert (step.after, step.expires) == (timedelta(days=2), date(2027, 6, 30))
    assert step.body.startswith("Hi {{")
    assert step.digest == hashlib.sha256(WHY_NOW.encode()).hexdigest()
    assert step.source is not None
    assert WHY_NOW.splitlines()[step.source.body_line - 1].startswith("Hi {{")


def test_not_after_is_the_stages_unless_the_step_says_otherwise(desk: Path) -> None:
    assert load_play(desk).steps[0].not_after == timedelta(days=10)
    spoil(desk, "discovery/why-now.md", "after: 2d", "after: 2d\nnot_after: 36h")
    assert load_play(desk).steps[0].not_after == timedelta(hours=36)


def test_an_ad_is_its_front_matter_and_plain_text(desk: Path) -> None:
    (ad,) = load_play(desk).creatives
    assert (ad.key, ad.headline) == ("small/discovery/ads/sunday", "What runs on Sunday?")
    assert ad.text == "Some of it has to run. Which part does not?"


def test_yaml_does_not_guess(desk: Path) -> None:
    """NO is Norway and not false, 09:00 is a time and not 540, a tier 1 is the tier "1"."""
    spoil(desk, "play.yaml", "title: Small", "title: True north\nentry: { tiers: [1, 2] }")
    play = load_play(desk)
    assert play.window.default_country == "NO"
    assert play.window.opens == time(9)
    assert play.entry.tiers == ("1", "2")
    assert play.title == "True north"
    assert play.engagement.weights == {SignalKind.CLICKED: 3.0, SignalKind.OPENED: 0.0}


def test_windows_line_ends_and_a_byte_order_mark_are_fine(desk: Path) -> None:
    path = desk / "discovery" / "why-now.md"
    path.write_bytes(b"\xef\xbb\xbf" + WHY_NOW.replace("\n", "\r\n").encode())
    step = load_play(desk).steps[0]
    assert "\r" not in step.body
    assert step.subject == "{{ account.name }}: what waiting costs"


def test_reading_twice_gives_the_same_play(desk: Path) -> None:
    assert load_play(desk) == load_play(desk)


@pytest.mark.parametrize("name", FILES)
def test_any_change_in_any_file_makes_another_version(desk: Path, name: str) -> None:
    before = load_play(desk).version
    with (desk / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert load_play(desk).version != before


def test_a_renamed_content_makes_another_version(desk: Path) -> None:
    before = load_play(desk).version
    (desk / "discovery" / "why-now.md").rename(desk / "discovery" / "why-today.md")
    assert load_play(desk).version != before


def test_hidden_files_and_editors_backups_are_nobodys_content(desk: Path) -> None:
    before = load_play(desk).version
    for name in (".DS_Store", "discovery/.why-now.md.swp", "discovery/why-now.md~"):
        (desk / name).write_bytes(b"\x00")
    assert load_play(desk).version == before


def test_a_play_knows_its_stages_and_steps_by_key(desk: Path) -> None:
    play: Play = load_play(desk)
    assert play.stage("won") is play.stages[2]
    assert play.step("small/discovery/why-now") is play.steps[0]
    assert play.stage("nowhere") is None
    assert play.step("small/discovery/gone") is None


# --- what is refused: (file, what stood there, what somebody made of it, words of message and of cure) -----

PLAY, STEP, ADVERT = "play.yaml", "discovery/why-now.md", "discovery/ads/sunday.md"
MISTAKES = {
    "misspelt key": (PLAY, "title: Small", "titel: Small", "unknown key 'titel'", "did you mean 'title'"),
    "misspelt key deep inside": (PLAY, "half_life: 14d", "halflife: 14d", "engagement.halflife", "'half_life'"),
    "misspelt key of a stage": (
        PLAY, "    nurtured: true", "    nurture: true", "unknown key 'stages[1].nurture'", "'nurtured'",
    ),
    "missing key": (PLAY, "title: Small\n", "", "'title' is missing", "add a line title"),
    "duration in words": (PLAY, "half_life: 14d", "half_life: two weeks", "'two weeks' is not a duration", ""),
    "no duration at all": (PLAY, "half_life: 14d", "half_life: 0d", "half_life is no time", "14d"),
    "unknown signal": (PLAY, "clicked: 3", "clickd: 3", "'clickd' is not known", "did you mean 'clicked'"),
    "unknown weekday": (PLAY, "[mon, tue]", "[mon, tues]", "'tues'", "did you mean 'tue'"),
    "hour 25": (PLAY, "closes: 17:00", "closes: 25:00", "'25:00' is not a time of day", "09:00"),
    "window upside down": (PLAY, "closes: 17:00", "closes: 08:00", "closes before it opens", "09:00"),
    "no days": (PLAY, "[mon, tue]", "[]", "no days", "mon"),
    "unknown zone": (PLAY, "Europe/Oslo", "Europe/Olso", "'Europe/Olso' is not a time zone", "Europe/Berlin"),
    "country in words": (PLAY, "default_country: NO", "default_country: Norway", "'Norway' is not a country", "DE"),
    "move to nowhere": (PLAY, "[target, won]", "[target, wonn]", "cannot move to 'wonn'", "did you mean 'won'"),
    "move to itself": (PLAY, "[target, won]", "[discovery, won]", "cannot move to 'discovery'", "valid: target, won"),
    "stage twice": (PLAY, "key: won", "key: target", "'target' stands here twice", "keep one"),
    "stage with a space": (PLAY, "key: won", "key: closed won", "'closed won' cannot be the key", "small letters"),
    "CRM name twice": (PLAY, "[Closed Won]", "[discovery]", "already belongs to the stage 'discovery'", "one stage"),
    "nurtured without cadence": (PLAY, "    cadence: { every: 4d, not_after: 10d }\n", "", "no cadence", "add cadence"),
    "privacy page without https": (PLAY, "https://www.lumenflow.example/privacy", "l.example", "privacy_url", "https"),
    "no postal address": (PLAY, "Lumenflow GmbH, Beispielstraße 12, 20095 Hamburg", '""', "postal_address is", "law"),
    "key twice": (PLAY, "title: Small", "title: Small\ntitle: Big", "'title' stands here twice", "keep one"),
    "colon in a value": (PLAY, "title: Small", "title: Small: big", "not valid YAML", "quotes"),
    "tab": (PLAY, "  name: Lumenflow", "\tname: Lumenflow", "not valid YAML", "spaces"),
    "what the file decides": (PLAY, "title: Small", "title: Small\nversion: 7", "'version'", "remove"),
    "text for a list": (PLAY, "[mon, tue]", "mon", "window.days", "[one, two]"),
    "alias": (PLAY, "moves: [target, won]", "moves: &m [won]\n    roles: *m", "alias", "write the values out"),
    "misspelt key of a step": (STEP, "preheader:", "preheadr:", "unknown key 'preheadr'", "did you mean 'preheader'"),
    "missing key of a step": (STEP, "owner: content@lumenflow.example\n", "", "'owner' is missing", "add a line owner"),
    "unknown role": (STEP, "[champion,", "[chamption,", "'chamption' is not known", "did you mean 'champion'"),
    "no roles": (STEP, "[champion, economic_buyer]", "[]", "roles is empty", "[champion]"),
    "role twice": (STEP, "[champion, economic_buyer]", "[champion, champion]", "stands here twice", "keep one"),
    "day that does not exist": (STEP, "2027-03-31", "2027-02-30", "'2027-02-30' is not a day", "2027-03-31"),
    "expires before its review": (STEP, "2027-06-30", "2027-03-31", "not after review_by", "2027-03-31"),
    "step zero": (STEP, "step: 1", "step: 0", "step", "change the value"),
    "asset without https": (STEP, "asset: https:", "asset: http:", "asset", "https://"),
    "asset with a space": (STEP, "/cost-of-waiting", "/cost of waiting", "asset", "https://"),
    "owner without address": (STEP, "content@lumenflow.example", "Marketing", "'Marketing' is not an e-mail", "who"),
    "subject of two lines": (STEP, 'waiting costs"', 'waiting\\ncosts"', "subject is longer than a line", "one line"),
    "empty preheader": (STEP, "One page, no form.", '""', "preheader is empty", "write"),
    "late by nothing": (STEP, "after: 2d", "not_after: 0d\nafter: 2d", "not_after", "10d"),
    "digest by hand": (STEP, "step: 1", "step: 1\ndigest: abc", "'digest'", "remove"),
    "unclosed bracket": (STEP, "topics: [cost]", "topics: [cost", "not valid YAML", "brackets"),
    "ad without https": (ADVERT, "https://www.lumenflow.example/list", "list.html", "landing", "https"),
    "ad with a variable": (ADVERT, "A list.", '"{{ account.name }}"', "same for everybody", "write the words"),
    "ad without a headline": (ADVERT, "What runs on Sunday?", '""', "headline is empty", "platform"),
    "unknown key of an ad": (ADVERT, "cta:", "call:", "unknown key 'call'", "cta"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_stops_with_file_line_and_cure(desk: Path, mistake: tuple[str, str, str, str, str]) -> None:
    name, old, new, words, cure = mistake
    line = spoil(desk, name, old, new)
    error = refusal(desk)
    assert words in error.what
    assert cure in str(error.cure)
    file, _, shown_line = str(error.where).rpartition(":")
    assert file == f"small/{name}"
    if new and not words.endswith(("no cadence", "is missing")):  # what is missing has no line but its neighbour's
        assert line <= int(shown_line) <= line + new.count("\n")


def test_a_stage_for_ever_without_cadence_is_named_where_it_begins(desk: Path) -> None:
    spoil(desk, PLAY, "    cadence: { every: 4d, not_after: 10d }\n", "")
    assert refusal(desk).where == "small/play.yaml:11"


def test_one_mistake_is_explained_and_the_others_are_counted(desk: Path) -> None:
    spoil(desk, STEP, "step: 1", "step: none")
    spoil(desk, STEP, "after: 2d", "after: soon")
    error = refusal(desk)
    assert error.where == "small/discovery/why-now.md:5"
    assert "1 more" in str(error.cure)


FOLDERS = {
    "unknown stage": ("discovry__why-not.md", "'discovry' is no stage", "did you mean 'discovery'"),
    "stage that is not nurtured": ("target__why-not.md", "'target' is not nurtured", "discovery"),
    "name with capitals": ("discovery__Why-Not.md", "'Why-Not.md' is not a name", "small letters"),
    "name with a space": ("discovery__why not.md", "'why not.md' is not a name", "small letters"),
    "beside the play": ("why-not.md", "no stage's folder", "<stage>/<slug>.md"),
    "too deep": ("discovery__drafts__why-not.md", "no stage's folder", "<stage>/<slug>.md"),
    "wrong ending": ("discovery__why-not.txt", "would never be read", ".md"),
}


@pytest.mark.parametrize("case", FOLDERS.values(), ids=FOLDERS)
def test_a_file_that_would_be_overlooked_is_refused(desk: Path, case: tuple[str, str, str]) -> None:
    name, words, cure = case
    lay_out(desk.parent, **{name: WHY_NOW})
    error = refusal(desk)
    assert words in error.what
    assert cure in str(error.cure)
    assert str(error.where).startswith("small/" + name.replace("__", "/"))


def test_a_slug_names_one_e_mail_of_the_play(desk: Path) -> None:
    spoil(
        desk,
        PLAY,
        "  - key: won\n    label: Won",
        "  - key: won\n    label: Won\n    nurtured: true\n    cadence: { every: 1d, not_after: 2d }",
    )
    lay_out(desk.parent, **{"play.yaml": (desk / PLAY).read_text("utf-8"), "won__why-now.md": WHY_NOW})
    assert "same name as small/discovery/why-now" in refusal(desk).what


@pytest.mark.parametrize(
    ("content", "words", "line"),
    [
        (b"", "no front matter", 1),
        (b"Hi there,\n", "no front matter", 1),
        (b"---\nsubject: x\n", "has no end", 1),
        (b"---\n---\nHi\n", "has no keys", 2),
        (WHY_NOW.partition("\nHi")[0].encode() + b"\n\n", "no text below", 12),
        (WHY_NOW.replace("price", "pri\xe7e").encode("latin-1"), "not UTF-8", 15),
        (b"---\nsubject: \x01\n---\nHi\n", "not valid YAML", 2),
    ],
)
def test_a_file_that_is_no_content_is_refused(desk: Path, content: bytes, words: str, line: int) -> None:
    (desk / STEP).write_bytes(content)
    error = refusal(desk)
    assert words in error.what
    assert error.where == f"small/{STEP}:{line}"


@given(name=st.sampled_from([PLAY, STEP, ADVERT]), at=st.integers(0), cut=st.integers(0, 30), put=st.text(max_size=12))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_somebody_types_it_reads_or_is_refused_in_one_line(
    desk: Path, name: str, at: int, cut: int, put: str
) -> None:
    lay_out(desk.parent)
    text = FILES[name]
    at %= len(text)
    (desk / name).write_text(text[:at] + put + text[at + cut :], "utf-8", errors="replace")
    refused = None
    try:
        load_play(desk)
    except ContentRefused as error:
        refused = error
    assert refused is None or (len(str(refused).splitlines()) == 1 and refused.cure)


def test_a_play_that_is_not_there_names_those_that_are(desk: Path) -> None:
    with pytest.raises(NotFound, match="did you mean 'small'"):
        load_play(desk.parent / "smal")


def test_the_whole_shipped_play_reads_fast_enough_for_a_question() -> None:
    """`tandem why` has 0.7 s for everything; the play may take a fifth of it on a busy machine."""
    from time import process_time

    load_play(NEW_BUSINESS)
    started = process_time()
    load_play(NEW_BUSINESS)
    assert process_time() - started < 0.14
