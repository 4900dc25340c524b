"""Reads a play: the folder `templates/plays/<play>/` with its `play.yaml` and every content file below it.

A play is whole or refused, with the file, the line and what would be valid: nobody plans with half of one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from accounts.errors import ContentRefused, NotFound
from accounts.playbook import AdCreative, Play, Source, Step
from accounts.playrules import CREATIVE_RULES, PLAY_RULES, STEP_RULES, slugs_are_unique, stage_of_file
from accounts.textfiles import Document, Marked, nearest, read_document, read_yaml, shown, validated


def load_play(folder: Path) -> Play:
    """The play in `folder` with all its content.

    Raises ContentRefused with file, line, key and what would be valid; NotFound when there is no play.
    """
    if not (folder / "play.yaml").is_file():
        there = sorted(path.parent.name for path in folder.parent.glob("*/play.yaml"))
        cure = nearest(folder.name, there) if there else "a play is a folder with a play.yaml"
        raise NotFound(f"there is no play {folder.name!r}", where=shown(folder.parent), cure=cure)
    head, digest = read_yaml(folder / "play.yaml")
    play = _read_head(head, folder.name)
    digests, steps, creatives = {"play.yaml": digest}, list[Step](), list[AdCreative]()
    for path in _content_files(folder):
        document = read_document(path)
        name = path.relative_to(folder).as_posix()
        digests[name] = document.digest
        if path.parent.name == "ads":
            creatives.append(_read_creative(document, play, name))
        else:
            steps.append(_read_step(document, play, name))
    play = play.model_copy(update={"steps": tuple(steps), "creatives": tuple(creatives), "version": _version(digests)})
    slugs_are_unique(play)
    return play


def _read_head(head: Marked, key: str) -> Play:
    play = validated(head, Play, key=key, version="", steps=(), creatives=())
    for rule in PLAY_RULES:
        rule(play, head)
    return play


def _content_files(folder: Path) -> Iterator[Path]:
    """Every content file below `folder`, in stable order; refuses what would be overlooked in silence."""
    for path in sorted(folder.glob("**/*")):
        hidden = any(part.startswith(".") or part.endswith("~") for part in path.relative_to(folder).parts)
        if hidden or path.is_dir() or path == folder / "play.yaml":
            continue
        if path.suffix != ".md":
            raise ContentRefused(
                "this file would never be read", where=shown(path), cure="name it ….md or move it away"
            )
        yield path


def _read_step(document: Document, play: Play, name: str) -> Step:
    stage = stage_of_file(play, document.front, name)
    front = replace(
        document.front, values={"not_after": stage.cadence and stage.cadence.not_after, **document.front.values}
    )
    step = validated(
        front, Step, key=f"{play.key}/{name.removesuffix('.md')}", stage=stage.key, digest=document.digest,
        body=document.body, source=Source(document.front, document.body_line),
    )  # fmt: skip
    for rule in STEP_RULES:
        rule(step, front)
    return step


def _read_creative(document: Document, play: Play, name: str) -> AdCreative:
    stage = stage_of_file(play, document.front, name)
    key = f"{play.key}/{name.removesuffix('.md')}"
    creative = validated(document.front, AdCreative, key=key, stage=stage.key, text=document.body.strip())
    for rule in CREATIVE_RULES:
        rule(creative, document.front)
    return creative


def _version(digests: dict[str, str]) -> str:
    """A digest over all files of a play: names and contents, in the order of the names."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
