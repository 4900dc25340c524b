"""What changed for a rep since the last brief, in order of importance.

brief = write_brief(material, play, as_of)      # None: nothing changed, so there is nothing to say
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from shlex import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.briefs.account import AccountBrief, account_brief
from accounts.briefs.brevity import shorten
from accounts.briefs.case import Case, open_case
from accounts.briefs.material import AccountMaterial, Person, RepMaterial, Statement, clip, evidence
from accounts.briefs.news import Glance, News, glance_at, in_order, news_of
from accounts.briefs.rhythm import USUAL
from accounts.briefs.saying import Local, counted
from accounts.playbook import Play

MOST_ACCOUNTS = USUAL.accounts
#: Accounts beyond the five are named, not told; so many of them.
MOST_ALSO = 8


@dataclass(frozen=True, slots=True)
class Brief:
    """What one rep gets."""

    rep_name: str
    rep_email: str
    zone: str
    since: datetime
    as_of: datetime
    #: The same two times as the rep reads them.
    since_text: str
    as_of_text: str
    subject: str
    accounts: tuple[AccountBrief, ...]
    #: Further accounts, one line each.
    also: tuple[Statement, ...]
    #: About the briefs themselves, for example one that may not have arrived.
    note: Statement | None
    #: Commands and what they do: how to answer.
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What there is to tell one rep, the most important account first."""

    rep: RepMaterial
    play: Play
    local: Local
    #: The accounts that are told in full, and those that get a line.
    told: tuple[tuple[Case, tuple[News, ...]], ...]
    rest: tuple[Glance, ...]

    @property
    def in_full(self) -> list[AccountMaterial]:
        """Accounts that are told in full."""
        return [case.account for case, _ in self.told]


def write_brief(rep: RepMaterial, play: Play, as_of: datetime) -> Brief | None:
    """The brief of a rep as of a moment, or None when nothing changed since the last one."""
    choice = choose(rep, play, as_of)
    return write(choice) if choice else None


def choose(rep: RepMaterial, play: Play, as_of: datetime, rest: Sequence[Glance] = ()) -> Choice | None:
    """Which accounts have news, by importance; None: nothing changed.

    Of people it looks at names, roles and whether they can be reached; the rest of them is asked for by `write`. rest:
    accounts with news that a glance has shown to matter less than those of `rep` that are told in full.
    """
    local = Local.at(as_of, zone_of(rep, play))
    seen = [(glance_at(case.account, news), case, news) for case, news in _told(rep, play, local)]
    seen.sort(key=lambda one: in_order(one[0]))
    chosen, others = seen[: rep.manner.accounts], seen[rep.manner.accounts :]
    named = tuple(rest)
    if others:
        named = tuple(sorted([*(glance for glance, *_ in others), *rest], key=in_order))
    return Choice(rep, play, local, tuple((case, news) for _, case, news in chosen), named) if seen else None


def write(choice: Choice, people: Mapping[int, tuple[Person, ...]] | None = None) -> Brief:
    """The brief. `people`: by account, everything about the people of the accounts that are told in full."""
    rep, local = choice.rep, choice.local
    chosen = choice.told
    if people is not None:
        chosen = tuple(_with_people(case, news, people.get(case.account.id, ())) for case, news in chosen)
    written = with_one_question([account_brief(case, news) for case, news in chosen])
    accounts = tuple(shorten(account, rep.manner.words) for account in written)
    return Brief(
        rep_name=rep.name,
        rep_email=rep.email,
        zone=str(local.zone),
        since=rep.since,
        as_of=local.now,
        since_text=local.moment(rep.since),
        as_of_text=local.in_full(local.now),
        subject=_subject(accounts, len(choice.told) + len(choice.rest)),
        accounts=accounts,
        also=_also(choice.rest),
        note=_note(rep, local),
        answers=_answers(chosen[0][0].account, local),
    )


def with_one_question(accounts: Sequence[AccountBrief]) -> list[AccountBrief]:
    """Of all that could be asked, the question about the most important account: whoever is asked much answers none."""
    asking = next((account.id for account in accounts if account.question), None)
    return [account if account.id == asking else replace(account, question=None) for account in accounts]


def _with_people(case: Case, news: tuple[News, ...], people: tuple[Person, ...]) -> tuple[Case, tuple[News, ...]]:
    account = replace(case.account, people=people)
    known = {person.id: person for person in people}
    about = tuple(replace(item, person=known.get(item.person.id)) if item.person else item for item in news)
    return replace(case, account=account), about


def zone_of(rep: RepMaterial, play: Play) -> ZoneInfo:
    """The rep's zone; the play's default when the rep has none that we know."""
    for name in (rep.timezone, play.window.default_timezone):
        try:
            return ZoneInfo(name) if name else ZoneInfo(play.window.default_timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def _told(rep: RepMaterial, play: Play, local: Local) -> Iterator[tuple[Case, tuple[News, ...]]]:
    """The accounts with news."""
    for account in rep.accounts:
        case = open_case(account, play, account.since or rep.since, local, rep.id)
        if news := news_of(case):
            yield case, news


def _subject(accounts: tuple[AccountBrief, ...], moved: int) -> str:
    first = accounts[0]
    more = f"; news of {counted(moved - 1, 'more account')}" if moved > 1 else ""
    return f"{clip(first.title, 6, 50)}: {first.why}{more}"


def _also(rest: Sequence[Glance]) -> tuple[Statement, ...]:
    told = [_in_one_line(glance) for glance in rest[:MOST_ALSO]]
    left = rest[MOST_ALSO:]
    if left:
        proof = tuple(proof for glance in left for proof in glance.evidence)
        told.append(Statement(f"and {counted(len(left), 'more account')}", proof))
    return tuple(told)


def _in_one_line(glance: Glance) -> Statement:
    name = f"{clip(glance.name, 6, 60)} ({clip(glance.key, 4, 60)})"
    return Statement(f"{name}: {glance.weight.value}", glance.evidence)


def _note(rep: RepMaterial, local: Local) -> Statement | None:
    """What there is to say about the briefs themselves, as one paragraph."""
    said = [one for one in (_doubt(rep, local), _welcome(rep, local), _slower(rep)) if one]
    if not said:
        return None
    return Statement(" ".join(one.text for one in said), tuple(proof for one in said for proof in one.evidence))


def _welcome(rep: RepMaterial, local: Local) -> Statement | None:
    """The first brief after an absence covers all of it."""
    if rep.back_since is None:
        return None
    text = f"Welcome back: this is all that happened since {local.day(rep.since)}."
    return Statement(text, evidence("rep", rep.id))


def _slower(rep: RepMaterial) -> Statement | None:
    """Why it is shorter than it was, and how that ends."""
    if not rep.manner.unread:
        return None
    text = f"Your last {rep.manner.unread} briefs stayed unopened, so they are shorter and rarer now."
    return Statement(f"{text} Open one, and they are as before.", evidence("rep", rep.id))


def _doubt(rep: RepMaterial, local: Local) -> Statement | None:
    """A brief may have been lost on its way: say which, and how to read it."""
    if not rep.doubtful:
        return None
    ids = [id_ for id_, _ in rep.doubtful]
    at = max(at for _, at in rep.doubtful)
    command = f"tandem brief {rep.email} --as-of {at.isoformat()}"
    return Statement(f"The brief of {local.moment(at)} may not have reached you: {command}", evidence("brief", *ids))


def _answers(account: AccountMaterial, local: Local) -> tuple[tuple[str, str], ...]:
    """How to answer, with the first account as the example."""
    person = next((p for p in account.people if p.takes_part), None)
    address, key = quote(person.email) if person else "ADDRESS", quote(account.key)
    fortnight = local.today + timedelta(days=14)
    return (
        (f"tandem hold {key} --until {fortnight}", "Marketing keeps quiet there, mail and ads."),
        (f"tandem release {key}", "Marketing goes on."),
        (f"tandem feedback {key} ripe", "It is ready, sales takes over. Also: not_yet, bad_timing."),
        (f"tandem feedback {address} wrong_person", "Not part of the decision; no more mail to them."),
        (f"tandem veto {address}", "No more marketing mail to them; name a content to stop only that one."),
        ("A new contact in the CRM", "Fills an empty seat with the next import."),
    )
