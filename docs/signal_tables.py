"""The tables of docs/signals.md, made from the code and the play: `python docs/signal_tables.py` writes them anew."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from accounts.engagement import NOTABLE_RATIO, saturation  # noqa: E402
from accounts.feedback import REPS_WORDS, UNDATED_PAUSE  # noqa: E402
from accounts.machines import ENOUGH, own_signs, pace, programs  # noqa: E402
from accounts.machines.networks import FILE as NETWORKS  # noqa: E402
from accounts.outcomes import (  # noqa: E402
    Effect,
    FailTouch,
    Happening,
    HoldAccount,
    MarkBounced,
    MarkComplained,
    MarkLeft,
    OptOut,
    PausePerson,
    Propose,
    SettleTouch,
    Suppress,
    effects_of,
)
from accounts.playbook import Play  # noqa: E402
from accounts.playfiles import load_play  # noqa: E402
from accounts.vocabulary import BounceAction, SignalKind  # noqa: E402

PAGE = ROOT / "docs" / "signals.md"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

K = SignalKind
MAIL = "provider"
#: What each kind means, and where it comes from.
MEANING: dict[SignalKind, tuple[str, str]] = {
    K.ACCEPTED: ("a provider took our mail", MAIL),
    K.DELIVERED: ("the reader's server took our mail", MAIL),
    K.DEFERRED: ("the provider goes on trying", f"{MAIL}, mailbox"),
    K.DROPPED: ("the provider will not deliver it: its own list, or its filter", MAIL),
    K.BOUNCED: ("our mail came back", f"{MAIL}, mailbox, SMTP"),
    K.COMPLAINED: ("somebody called it spam", f"{MAIL}, mailbox"),
    K.OPENED: ("the pictures of our mail were loaded", f"web app, {MAIL}"),
    K.CLICKED: ("a link of our mail was followed", f"web app, {MAIL}"),
    K.REPLIED: ("somebody wrote back", "mailbox, by hand"),
    K.OUT_OF_OFFICE: ("an absence note", "mailbox"),
    K.LEFT_COMPANY: ("a note that somebody is gone", "mailbox, by hand"),
    K.UNSUBSCRIBED: (
        "no more mail: by a click, in a letter, to the CRM",
        f"web app, {MAIL}, mail program, mailbox, CRM",
    ),
    K.PREFERRED: ("a choice on the preference page", "web app"),
    K.VISITED: ("a page of ours, by somebody who consented", "web app, list"),
    K.DOWNLOADED: ("a document was fetched", "web app, list"),
    K.FORM_FILLED: ("a form on our site", "list"),
    K.WEBINAR_REGISTERED: ("registered for a webinar", "list"),
    K.WEBINAR_ATTENDED: ("was at a webinar", "list"),
    K.EVENT_ATTENDED: ("was at a fair or a dinner: a scanned badge", "list"),
    K.MEETING_BOOKED: ("agreed on a time", "list, by hand"),
    K.MEETING_HELD: ("met with us", "list, by hand"),
    K.AD_SHOWN: ("an ad was shown", "list"),
    K.AD_CLICKED: ("an ad was clicked", "list"),
    K.BRIEF_BOUNCED: ("a brief to a rep came back", f"{MAIL}, mailbox"),
    K.SAID_RIPE: ("a rep said “ready” of a person or account", "reps"),
    K.SAID_NOT_YET: ("a rep said “not yet”", "reps"),
    K.SAID_BAD_TIMING: ("a rep said “bad timing”", "reps"),
    K.UNKNOWN: ("a word we do not know, kept as it came", "any"),
}


def tables() -> dict[str, str]:
    """Name of the table -> its Markdown, as it stands between the marks of the page."""
    play = load_play(ROOT / "templates" / "plays" / "new-business")
    return {
        "kinds": _table(("kind", "what happened", "heard from", "points", "what it does"), _kinds(play)),
        "score": _table(("in the play", "in `new-business`", "what it does"), _score(play)),
        "bounces": _table(("what the reader of bounces says", "what it does"), _bounces(play)),
        "signs": _table(("sign", "how sure by itself"), _signs()),
        "networks": _table(("network", "how sure", "the vendor's list, to compare with"), _networks()),
    }


def written() -> str:
    """The page with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables().items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        text = before + mark + table + rest[rest.index("<!-- end -->") :]
    return text


def _kinds(play: Play) -> Iterator[Sequence[str]]:
    weights = play.engagement.weights
    for kind in sorted(SignalKind, key=lambda kind: (-abs(weights.get(kind, 0)), kind)):
        what, source = MEANING[kind]
        yield f"`{kind}`", what, source, f"{weights.get(kind, 0):g}", _effects(kind, play)


#: What the verdict does that such a signal stands for, see accounts/feedback.py.
REPLACES = "replaces the rep's word before it; heat leaves it out"
LEFT_ALONE = (
    "the person or the account is left alone, mail and ads, until the day the rep named, "
    f"{UNDATED_PAUSE.days} days where there is none"
)


def _effects(kind: SignalKind, play: Play) -> str:
    if kind is K.BOUNCED:
        return "see below"
    if kind is K.OUT_OF_OFFICE:
        return "nothing for the person until the date in the note; a week where there is none, 90 days at most"
    if kind is K.BRIEF_BOUNCED:
        return "the brief has failed; `tandem doctor` names the rep; the next brief tells its news again"
    if kind in REPS_WORDS:
        return f"{REPLACES}; {LEFT_ALONE}" if kind is K.SAID_BAD_TIMING else REPLACES
    if kind is K.PREFERRED:
        return "what was chosen: a pause, fewer mails, one topic only"
    data = {"replacement": {"name": "Zoe Lin"}} if kind is K.LEFT_COMPANY else {}
    said = _said(effects_of(Happening.read(kind, NOON, data), play.pauses), kind)
    return said or ("raises the score" if play.engagement.weights.get(kind, 0) > 0 else "–")


def _score(play: Play) -> Iterator[Sequence[str]]:
    rules = play.engagement
    worth = ", ".join(f"{n} count {n * saturation(n, rules.person_ceiling):.1f}" for n in (10, 30, 90))
    roles = sorted(rules.role_weights.items(), key=lambda one: (-one[1], one[0]))
    times = ", ".join(f"{role.label} {weight:g}" for role, weight in roles)
    yield "`half_life`", f"{rules.half_life.days} days", "after so long half of a point is left"
    yield (
        "`person_ceiling`",
        f"{rules.person_ceiling:g}",
        f"more of one person says less and less: of their points {worth}",
    )
    yield "`role_weights`", times, "what a person's points are multiplied by"
    yield (
        "`breadth_bonus`",
        f"{rules.breadth_bonus:.0%}",
        "each person after the first makes the whole worth so much more",
    )
    share = f"and {NOTABLE_RATIO:g} times as many"
    yield (
        "`heat_points`",
        f"{rules.heat_points:g}",
        f"rising: so many points more than in a usual week, {share}; cooling: the other way round",
    )


def _bounces(play: Play) -> Iterator[Sequence[str]]:
    for action in BounceAction:
        if action is BounceAction.UNKNOWN:
            continue
        effects = effects_of(Happening.read(K.BOUNCED, NOON, {"action": action.value}), play.pauses)
        yield f"`{action}`", _said(effects, K.BOUNCED) or "nothing for the person: the brakes count it"
    for word in ("hard", "soft"):
        effects = effects_of(Happening.read(K.BOUNCED, NOON, {"bounce": word}), play.pauses)
        yield f"nothing but `{word}`", _said(effects, K.BOUNCED)


def _said(effects: Iterable[Effect], kind: SignalKind) -> str:
    return "; ".join(filter(None, (_effect(effect, kind) for effect in effects)))


#: Effects that say the same whatever caused them.
EFFECTS: dict[type[Effect], str] = {
    OptOut: "no more mail to the person, in any account, and no ads",
    Suppress: "nobody writes to this address again",
    MarkBounced: "the address is dead, the seat is empty",
    MarkComplained: "marked as having complained",
    MarkLeft: "the person is gone, the seat is empty",
    Propose: "who is named instead is proposed",
    FailTouch: "a mail whose outcome nobody knew has failed",
}
#: Kinds that do nothing else than prove that a mail left.
PROOFS = (K.ACCEPTED, K.DELIVERED, K.DEFERRED, K.OPENED, K.CLICKED)


def _effect(effect: Effect, kind: SignalKind) -> str:
    if isinstance(effect, HoldAccount):
        return _held(effect, kind)
    if isinstance(effect, PausePerson):
        return f"nothing for the person for {_days(effect.until - NOON)}"
    if isinstance(effect, SettleTouch):
        return "a mail whose outcome nobody knew was sent" if kind in PROOFS else ""
    return EFFECTS[type(effect)]


def _held(hold: HoldAccount, kind: SignalKind) -> str:
    if hold.ends_at is None:
        return "the whole account is held, mail and ads, until a rep releases it; the rep is told at once"
    since = "it" if kind is K.REPLIED else "the meeting"
    told = "" if kind is K.MEETING_HELD else "; the rep is told at once"
    return f"the whole account is held, mail and ads, until {_days(hold.ends_at - NOON)} after {since}{told}"


def _days(span: timedelta) -> str:
    return f"{span.days} days"


def _signs() -> Iterator[Sequence[str]]:
    firefox_less = programs.program_sign("python-requests/2.32", False)
    silent = programs.program_sign("", False)
    apple, ahead = programs.program_sign(programs.APPLE, True), programs.program_sign(programs.GMAIL_AHEAD, True)
    signs = [
        (own_signs.TRAP.reason, own_signs.TRAP.sure),
        (own_signs.FLAGGED.reason, own_signs.FLAGGED.sure),
        ("the program says that it is one (crawlers, gateways, libraries)", firefox_less.sure if firefox_less else 0),
        ("the picture was loaded by Gmail ahead of the reader", ahead.sure if ahead else 0),
        ("the picture was loaded by Apple's mail program", apple.sure if apple else 0),
        (own_signs.HEAD.reason, own_signs.HEAD.sure),
        *((f"within {words} of the delivery, or of leaving where none is told", sure) for _, sure, words in pace.SOON),
        (f"{pace.BURST_LINKS} or more links of one person within 2 seconds", pace.BURST_SURE),
        ("all links of a mail, two at least, within 10 seconds", pace.ALL_LINKS_SURE),
        ("within 10 seconds of the hidden link on the same mail, or by the same program on it", pace.COMPANY_SURE),
        ("from a network of mail security", 0.7),
        ("the program says nothing of itself", silent.sure if silent else 0),
    ]  # fmt: skip
    yield from ((reason, f"{sure:.0%}") for reason, sure in sorted(signs, key=lambda one: -one[1]))


def _networks() -> Iterator[Sequence[str]]:
    import tomllib

    for entry in tomllib.loads(NETWORKS.read_text(encoding="utf-8")).values():
        yield entry["name"], f"{entry['sure']:.0%}", entry["source"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
    print(f"{PAGE.name}: {len(tables())} tables, {ENOUGH:.0%} is enough")  # noqa: T201
