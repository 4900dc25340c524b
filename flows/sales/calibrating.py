"""Calibration: do scores and reps agree, which weights would agree more, and a person's yes to them.

Nothing changes by itself. A proposal is kept under a number and shown as a diff of play.yaml; adopting it writes these
values, and nothing else, into the file, under a name, into the audit. What was adopted can be taken back by editing the
file: it stays the marketer's.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from accounts import calibration as core
from accounts.calibration import Agreement, Calibration
from accounts.errors import Refused
from accounts.ledger import audit
from accounts.ledger.engagement import calibration as ledger
from accounts.ledger.engine import reading, writing
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.playtext import reweigh
from accounts.vocabulary import SignalKind

#: How often a play is calibrated without being asked.
EVERY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A calibration and, if it proposes anything, its number and the diff of play.yaml."""

    calibration: Calibration
    number: int | None = None
    diff: str = ""


def calibrate(engine: Engine, play: Play, folder: Path, now: datetime) -> Proposal:
    """Compare scores and verdicts as of `now`, and keep what is proposed, if anything. folder: of the play."""
    with reading(engine) as connection:
        judged = ledger.read_judged(connection, play.key, play.engagement, now)
    found = core.calibrate(judged, play.engagement)
    if not found.proposed:
        return Proposal(found)
    return Proposal(found, _store(engine, play, found, now), diff_of(folder / "play.yaml", found.proposed))


def calibrate_monthly(engine: Engine, play: Play, folder: Path, now: datetime) -> Proposal | None:
    """`calibrate`, at most once in thirty days, and remembered also when nothing is proposed; None in between."""
    with reading(engine) as connection:
        last = ledger.last_made(connection, play.key, now)
    if last is not None and now - last < EVERY:
        return None
    made = calibrate(engine, play, folder, now)
    if made.number is None:
        _store(engine, play, made.calibration, now, mark=now.isoformat())
    return made


def adopt(engine: Engine, play: Play, folder: Path, number: int, *, by: str, now: datetime) -> str:
    """Write the weights of a proposal into play.yaml; the diff. Adopting again changes nothing.

    Raises NotFound; Refused when the play's weights are no longer those the proposal started from, or the file cannot
    be written.
    """
    path = folder / "play.yaml"
    with writing(engine) as connection:
        stored = ledger.read_calibration(connection, number)
        if stored.play != play.key or not stored.proposed:
            raise Refused(f"calibration {number} proposes nothing for {play.key!r}")
        present = {kind: float(weight) for kind, weight in play.engagement.weights.items()}
        if present != {**stored.before, **stored.proposed} and present != stored.before:
            cure = "look again: tandem calibrate"
            raise Refused(f"the weights have changed since calibration {number}", where=str(path), cure=cure)
        diff = diff_of(path, stored.proposed)
        if stored.adopted_at is None:
            ledger.adopt(connection, number, by=by, at=now)
            before = {kind: stored.before[kind] for kind in stored.proposed}
            audit.append(
                connection, actor=by, action="adopt-weights", subject=f"play:{play.key}", at=now, before=before,
                after=dict(stored.proposed),
            )  # fmt: skip
        if diff:  # last, so that a file that cannot be written leaves the ledger as it was
            _write(path, reweigh(_text(path), stored.proposed, str(path)))
    load_play(folder)
    return diff


def diff_of(path: Path, weights: Mapping[SignalKind, float]) -> str:
    """What would change in a play.yaml, as a unified diff; empty when it says so already."""
    old = _text(path)
    name = f"{path.parent.name}/{path.name}"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), reweigh(old, weights, str(path)).splitlines(keepends=True), f"a/{name}",
        f"b/{name}", n=1,
    )  # fmt: skip
    return "".join(lines)


def findings(found: Calibration) -> dict[str, Any]:
    """What a calibration says, as plain values: for the ledger and for ``--json``."""
    return {
        "verdicts": found.verdicts,
        "why": found.why,
        "agreement": _plain(found.overall),
        "held_out": {"old": _plain(found.held_out_old), "new": _plain(found.held_out_new)},
        "kinds": {str(kind): _plain(one) for kind, one in found.kinds.items()},
        "reps": {rep: _plain(one) for rep, one in found.reps.items()},
        "proposed": {str(kind): weight for kind, weight in found.proposed.items()},
        "moves": [{"verdict": one.verdict, "old": one.old, "new": one.new, "ripe": one.is_ripe} for one in found.moves],
    }


def _store(engine: Engine, play: Play, found: Calibration, now: datetime, mark: str = "") -> int:
    before = {kind: float(weight) for kind, weight in play.engagement.weights.items()}
    digest = core.digest_of(before, found.proposed, mark)
    with writing(engine) as connection:
        return ledger.store(
            connection, play.key, digest, now, verdicts=found.verdicts, before=before, proposed=found.proposed,
            findings=findings(found),
        )  # fmt: skip


def _plain(one: Agreement | None) -> dict[str, Any] | None:
    return {"share": one.share, "ripe": one.ripe, "unripe": one.unripe} if one else None


def _text(path: Path) -> str:
    """As it stands, line ends included."""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _write(path: Path, text: str) -> None:
    """Whole or not at all. Raises Refused."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        unfinished.chmod(path.stat().st_mode)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Refused(f"it cannot be written: {error.strerror}", where=str(path), cure="check rights") from None
