"""A marketer's desk: the smallest play that reads, in a folder, and a way to spoil one line of it."""

from pathlib import Path

PLAY_YAML = """\
title: Small
vendor:
  name: Lumenflow
  domain: lumenflow.example
  postal_address: Lumenflow GmbH, Beispielstraße 12, 20095 Hamburg
  privacy_url: https://www.lumenflow.example/privacy
stages:
  - key: target
    label: Target
    moves: [discovery]
  - key: discovery
    label: Discovery
    nurtured: true
    crm: { salesforce: [Discovery], hubspot: [qualifiedtobuy] }
    moves: [target, won]
    cadence: { every: 4d, not_after: 10d }
  - key: won
    label: Won
    crm: { salesforce: [Closed Won] }
window:
  days: [mon, tue]
  opens: 09:00
  closes: 17:00
  default_timezone: Europe/Oslo
  default_country: NO
engagement:
  half_life: 14d
  weights: { clicked: 3, opened: 0 }
"""

WHY_NOW = """\
---
subject: "{{ account.name }}: what waiting costs"
preheader: One page, no form.
roles: [champion, economic_buyer]
step: 1
after: 2d
owner: content@lumenflow.example
review_by: 2027-03-31
expires: 2027-06-30
asset: https://www.lumenflow.example/cost-of-waiting
topics: [cost]
---
Hi {{ stakeholder.first_name }},

Waiting has a price.

[The page]({{ asset }}) has four inputs.
"""

AD = """\
---
headline: What runs on Sunday?
description: A list.
cta: Learn more
image_alt: A dark hall
landing: https://www.lumenflow.example/list
roles: [champion]
expires: 2027-06-30
---
Some of it has to run. Which part does not?
"""

FILES = {"play.yaml": PLAY_YAML, "discovery/why-now.md": WHY_NOW, "discovery/ads/sunday.md": AD}


def lay_out(folder: Path, **changed: str) -> Path:
    """The small play below `folder`; `changed` texts replace or add files (``__`` stands for a slash)."""
    play = folder / "small"
    more = {name.replace("__", "/"): text for name, text in changed.items()}
    for name, text in {**FILES, **more}.items():
        path = play / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return play


def spoil(play: Path, name: str, old: str, new: str) -> int:
    """Replaces `old` by `new` in a file of the play; the line (from 1) the change begins on."""
    path = play / name
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} must stand exactly once in {name}"
    path.write_text(text.replace(old, new), "utf-8")
    return text[: text.index(old)].count("\n") + 1
