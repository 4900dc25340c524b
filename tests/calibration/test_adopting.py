"""From verdicts in the ledger to other weights in play.yaml: only by a person, only these values, and written down."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from accounts.calibration import Judged, with_weights
from accounts.errors import ContentRefused, NotFound, Refused
from accounts.ledger.audit import read_audit, verify
from accounts.ledger.engagement import calibration as ledger
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Calibration, Feedback, Signal, Stakeholder
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.playtext import reweigh
from accounts.vocabulary import SignalKind
from flows.sales.calibrating import adopt, calibrate, calibrate_monthly
from flows.settings import TEMPLATES
from tests.calibration.market import verdicts
from tests.calibration.test_calibration import TRUTH
from tests.cast import NOW, PLAY, World

TEXT = (TEMPLATES / "plays" / "new-business" / "play.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A marketer's own copy of the play."""
    shutil.copytree(TEMPLATES / "plays" / "new-business", tmp_path / "templates" / "plays" / "new-business")
    return tmp_path / "templates" / "plays" / "new-business"


@pytest.fixture
def play(folder: Path) -> Play:
    return load_play(folder)


@pytest.fixture(scope="module")
def market() -> list[Judged]:
    """Made once: the tests differ in what is done with it."""
    return verdicts(400, TRUTH, 1, NOW)


@pytest.fixture
def judged(world: World, market: list[Judged]) -> World:
    """Four hundred accounts, and Ravi's verdict on each; he goes by TRUTH."""
    accounts = [{"id": 1000 + one.id, "key": f"account-{one.id}", "name": "Any", "play": PLAY} for one in market]
    people = [
        {"id": _seat(one, person), "account_id": 1000 + one.id, "email": f"p{person}@a{one.id}.example",
         "email_hash": f"{one.id}-{person}", "role": role}
        for one in market
        for person, role in one.roles.items()
    ]  # fmt: skip
    signals = [
        {"source": "market", "source_id": str(told.id), "kind": told.kind, "account_id": 1000 + one.id,
         "stakeholder_id": _seat(one, told.person), "occurred_at": told.occurred_at, "received_at": told.occurred_at}
        for one in market
        for told in one.signals
    ]  # fmt: skip
    said = [
        {"account_id": 1000 + one.id, "rep_id": world.reps["ravi"], "at": one.at,
         "verdict": "ripe" if one.is_ripe else "not_yet"}
        for one in market
    ]  # fmt: skip
    with writing(world.engine) as connection:
        for table, rows in ((Account, accounts), (Stakeholder, people), (Signal, signals), (Feedback, said)):
            connection.execute(insert(table), rows)
    return world


def _seat(one: Judged, person: int) -> int:
    return 10_000 + 10 * one.id + person


def stored(world: World) -> int:
    with reading(world.engine) as connection:
        return connection.scalar(select(func.count()).select_from(Calibration)) or 0


class TestReading:
    def test_a_verdict_sees_what_had_come_in_by_its_moment_and_nothing_later(self, world: World, play: Play) -> None:
        at, alice, acme = NOW - timedelta(days=5), world.people["alice"], world.accounts["acme"]
        times = {"known": (at, at), "told-later": (at - timedelta(days=1), NOW), "later": (NOW, NOW)}
        with writing(world.engine) as connection:
            connection.execute(
                insert(Signal),
                [
                    {"source": "t", "source_id": name, "kind": "clicked", "account_id": acme, "stakeholder_id": alice,
                     "occurred_at": happened, "received_at": received}
                    for name, (happened, received) in times.items()
                ],
            )  # fmt: skip
            said = [("ripe", at), ("wrong_person", at), ("not_yet", NOW + timedelta(days=1))]
            for verdict, when in said:
                values = {"account_id": acme, "rep_id": world.reps["ravi"], "verdict": verdict, "at": when}
                connection.execute(insert(Feedback).values(**values))
        with reading(world.engine) as connection:
            (one,) = ledger.read_judged(connection, play.key, play.engagement, NOW)
        assert (one.is_ripe, one.rep) == (True, "ravi@lumenflow.example")
        assert [told.occurred_at for told in one.signals] == [at]
        assert one.roles[alice] == "champion"


class TestText:
    @settings(max_examples=15, deadline=None)
    @given(st.dictionaries(st.sampled_from([SignalKind.CLICKED, SignalKind.REPLIED, SignalKind.COMPLAINED]),
                           st.floats(-50, 50).map(lambda weight: round(weight, 1)), min_size=1))  # fmt: skip
    def test_only_the_values_change_and_every_other_character_stays(self, weights: dict[SignalKind, float]) -> None:
        new = reweigh(TEXT, weights).splitlines()
        changed = [(old, line) for old, line in zip(TEXT.splitlines(), new, strict=True) if old != line]
        assert len(changed) <= len(weights)
        for old, line in changed:
            kind = SignalKind(old.strip().partition(":")[0])
            assert line == old.replace(f": {old.split(': ')[1]}", f": {weights[kind]:g}")

    def test_a_flow_mapping_with_comments_quotes_and_beyond_ascii_is_edited_in_place(self) -> None:
        text = "title: Größe 🚀 # ü\nengagement: { weights: { clicked: 3, 'replied': 12.5 } } # ours\n"
        assert reweigh(text, {SignalKind.REPLIED: 9, SignalKind.CLICKED: 2.5}) == (
            "title: Größe 🚀 # ü\nengagement: { weights: { clicked: 2.5, 'replied': 9 } } # ours\n"
        )

    def test_a_byte_order_mark_stays(self) -> None:
        text = "\ufeffengagement:\n  weights:\n    clicked: 3\n"
        assert reweigh(text, {SignalKind.CLICKED: 4}) == text.replace("3", "4")

    def test_windows_line_ends_stay(self) -> None:
        assert reweigh("engagement:\r\n  weights:\r\n    clicked: 3\r\n", {SignalKind.CLICKED: 4}) == (
            "engagement:\r\n  weights:\r\n    clicked: 4\r\n"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "title: none\n",
            "engagement:\n  weights: {}\n",
            "usual: &w 3\nengagement:\n  weights:\n    clicked: *w\n",
        ],
    )
    def test_what_cannot_be_edited_in_place_is_refused(self, text: str) -> None:
        with pytest.raises(ContentRefused):
            reweigh(text, {SignalKind.CLICKED: 4})


class TestAdopting:
    def test_looking_changes_neither_file_nor_scores_and_twice_is_one_proposal(
        self, judged: World, play: Play, folder: Path
    ) -> None:
        before = (folder / "play.yaml").read_bytes()
        first, second = (calibrate(judged.engine, play, folder, NOW) for _ in range(2))
        assert first.number == second.number == 1
        assert first.diff.count("\n+    ") == len(first.calibration.proposed)
        assert (folder / "play.yaml").read_bytes() == before
        assert stored(judged) == 1

    def test_a_person_adopts_it_by_number_and_the_audit_keeps_who_and_what(
        self, judged: World, play: Play, folder: Path
    ) -> None:
        made = calibrate(judged.engine, play, folder, NOW)
        assert made.number is not None
        diff = adopt(judged.engine, play, folder, made.number, by="mia", now=NOW)
        after = load_play(folder)
        assert diff == made.diff
        assert after.engagement == with_weights(play.engagement, made.calibration.proposed)
        assert after.model_copy(update={"engagement": play.engagement, "version": play.version}) == play
        with reading(judged.engine) as connection:
            (entry,) = read_audit(connection)
            assert (entry.actor, entry.action, entry.subject) == ("mia", "adopt-weights", "play:new-business")
            assert entry.after == {str(kind): weight for kind, weight in made.calibration.proposed.items()}
            assert verify(connection).is_whole
        assert adopt(judged.engine, after, folder, made.number, by="max", now=NOW) == ""
        with reading(judged.engine) as connection:
            assert ledger.read_calibration(connection, made.number).adopted_by == "mia"
            assert len(read_audit(connection)) == 1

    def test_a_file_that_cannot_be_written_leaves_the_ledger_as_it_was(
        self, judged: World, play: Play, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = calibrate(judged.engine, play, folder, NOW)
        assert made.number is not None

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("flows.sales.calibrating.os.replace", full)
        with pytest.raises(Refused, match="No space left"):
            adopt(judged.engine, play, folder, made.number, by="mia", now=NOW)
        assert load_play(folder) == play
        assert list(folder.glob(".play.yaml*")) == []
        with reading(judged.engine) as connection:
            assert ledger.read_calibration(connection, made.number).adopted_at is None

    def test_weights_that_somebody_changed_meanwhile_are_not_overwritten(
        self, judged: World, play: Play, folder: Path
    ) -> None:
        made = calibrate(judged.engine, play, folder, NOW)
        assert made.number is not None
        own = reweigh((folder / "play.yaml").read_text(encoding="utf-8"), {SignalKind.CLICKED: 7})
        (folder / "play.yaml").write_text(own, encoding="utf-8")
        with pytest.raises(Refused, match="have changed"):
            adopt(judged.engine, load_play(folder), folder, made.number, by="mia", now=NOW)
        with pytest.raises(NotFound):
            adopt(judged.engine, play, folder, 99, by="mia", now=NOW)

    def test_the_monthly_look_comes_once_in_thirty_days_and_remembers_that_nothing_was_proposed(
        self, world: World, play: Play, folder: Path
    ) -> None:
        assert calibrate_monthly(world.engine, play, folder, NOW) is not None
        assert calibrate_monthly(world.engine, play, folder, NOW + timedelta(days=29)) is None
        assert calibrate_monthly(world.engine, play, folder, NOW + timedelta(days=30)) is not None
        assert stored(world) == 2


def test_the_command_shows_the_diff_writes_the_patch_and_adopts(
    judged: World, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.cli.calibrating import calibrate as command

    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TANDEM_TEMPLATES", str(folder.parent.parent))
    monkeypatch.setenv("TANDEM_DATABASE_URL", judged.engine.url.render_as_string(hide_password=False))
    patch = tmp_path / "weights.patch"
    shown = CliRunner().invoke(
        command, ["--as-of", NOW.isoformat(), "--patch", str(patch)], catch_exceptions=False
    )  # fmt: skip
    assert "400 verdicts" in shown.output
    assert patch.read_text(encoding="utf-8") in shown.output
    adopted = CliRunner().invoke(command, ["--adopt", "1", "--by", "mia"], catch_exceptions=False)
    assert "adopted by mia" in adopted.output
    assert load_play(folder).engagement.weights[SignalKind.CLICKED] < 3
