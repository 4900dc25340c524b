"""The rows a brief rests on, read again for who asks how we know: one query for each kind of row that is meant."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, literal, select

from accounts.briefs.material import clean
from accounts.briefs.news import stage_label
from accounts.briefs.saying import BECAUSE, title_of
from accounts.ledger.bulk import among
from accounts.ledger.reps.spokesmen import called
from accounts.models import (
    Account,
    Activity,
    Decision,
    Handover,
    Hold,
    Objection,
    Proposal,
    Rep,
    RepAnswer,
    Signal,
    StageChange,
    Stakeholder,
    Touch,
)
from accounts.playbook import Play
from accounts.rep_pages.proofs import Proof, by_itself, rows_behind
from accounts.rep_pages.timeline import Entry, Source, say
from accounts.vocabulary import Reason

_NOTHING = literal(None)
#: As `Entry` has them: at, person, word, more, note.
_HAPPENED: Mapping[str, tuple[Source, Any, Select[Any]]] = {
    "signal": (
        Source.BUYER, Signal,
        select(Signal.occurred_at, Signal.stakeholder_id, Signal.kind, Touch.content, _NOTHING)
        .outerjoin(Touch, Touch.id == Signal.touch_id),
    ),
    "touch": (
        Source.MARKETING, Touch,
        select(Touch.sent_at, Touch.stakeholder_id, Touch.content, _NOTHING, _NOTHING)
        .where(Touch.sent_at.is_not(None)),
    ),
    "activity": (
        Source.SALES, Activity,
        select(Activity.occurred_at, Activity.stakeholder_id, Activity.kind, Activity.subject,
               Activity.direction),
    ),
    "stage_change": (
        Source.STAGE, StageChange,
        select(StageChange.at, _NOTHING, StageChange.to_stage, StageChange.from_stage,
               StageChange.refused_reason),
    ),
    "hold": (
        Source.HOLD, Hold, select(Hold.starts_at, Hold.stakeholder_id, Hold.cause, Hold.by, _NOTHING),
    ),
    "rep_answer": (
        Source.ANSWER, RepAnswer,
        select(RepAnswer.at, RepAnswer.stakeholder_id, RepAnswer.kind,
               RepAnswer.detail["sentence"].as_string(), called(RepAnswer.by)),
    ),
}  # fmt: skip


#: The row's id, its account, and what `_SAYS` needs to say it.
_ON_FILE: Mapping[str, tuple[Any, Any, Select[Any]]] = {
    "account": (Account.id, Account.id, select(Account.synced_at, Account.stage)),
    "stakeholder": (Stakeholder.id, Stakeholder.account_id, select(Stakeholder.id, Stakeholder.title)),
    "decision": (
        Decision.stakeholder_id, Decision.account_id,
        select(Decision.as_of, Decision.stakeholder_id, Decision.content, Decision.reason),
    ),
    "objection": (
        Objection.id, Objection.account_id, select(Objection.at, Objection.stakeholder_id, Objection.words),
    ),
    "proposal": (
        Proposal.id, Proposal.account_id,
        select(Proposal.proposed_at, Proposal.first_name, Proposal.last_name, Proposal.why),
    ),
    "handover": (
        Handover.id, Handover.account_id,
        select(Handover.at, Rep.name).outerjoin(Rep, Rep.id == Handover.from_rep_id),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Here:
    """The accounts that are looked at, and how they and their people are called."""

    play: Play
    accounts: Mapping[int, str]
    people: Mapping[int, str]

    def called(self, person: int | None) -> str:
        return self.people.get(person or 0, "Somebody there")


def read_proofs(
    connection: Connection, play: Play, accounts: Collection[int], evidence: Collection[str]
) -> dict[str, Proof]:
    """``signal:12`` -> what it says. Rows of other accounts, and what was erased since, are missing."""
    meant, here = rows_behind(evidence), _here(connection, play, accounts)
    found = {one: proof for one in evidence if (proof := by_itself(one, play))}
    for name, (source, table, query) in _HAPPENED.items():
        for row in _rows(connection, query, table.id, table.account_id, here, meant.get(name)):
            *entry, id, account = row
            at, person, word, more, note = entry
            said = say(Entry(at, source, id, person, word, more, note), here.people, play, here.accounts[account])
            found[f"{name}:{id}"] = Proof(at, source.label, said)
    for name, (key, owner, query) in _ON_FILE.items():
        for row in _rows(connection, query, key, owner, here, meant.get(name)):
            *about, id, account = row
            found[f"{name}:{id}"] = _SAYS[name](here, account, *about)
    return found


def owned_behind(connection: Connection, rep_id: int, evidence: Iterable[str]) -> set[int]:
    """The rep's own accounts among those that these rows are about."""
    found: set[int] = set()
    for name, ids in rows_behind(evidence).items():
        if name in _HAPPENED:
            table = _HAPPENED[name][1]
            theirs = select(table.account_id).join(Account, Account.id == table.account_id)
            query = theirs.where(Account.owner_id == rep_id, among(connection, table.id, sorted(ids)))
            found.update(connection.scalars(query))
    return found


def _rows(
    connection: Connection, query: Select[Any], key: Any, owner: Any, here: _Here, ids: Collection[int] | None
) -> Iterable[Row[Any]]:
    """With the row's id and account at the end."""
    if not ids:
        return ()
    ours, those = among(connection, owner, sorted(here.accounts)), among(connection, key, sorted(ids))
    return connection.execute(query.add_columns(key.label("key"), owner.label("owner")).where(ours, those))


def _here(connection: Connection, play: Play, accounts: Collection[int]) -> _Here:
    named = select(Account.id, Account.name).where(among(connection, Account.id, sorted(accounts)))
    columns = Stakeholder.id, Stakeholder.first_name, Stakeholder.last_name, Stakeholder.title
    people = select(*columns).where(among(connection, Stakeholder.account_id, sorted(accounts)))
    called = {
        id: clean(f"{first or ''} {last or ''}") or clean(title) or "Somebody there"
        for id, first, last, title in connection.execute(people)
    }
    return _Here(play, {id: clean(name) for id, name in connection.execute(named)}, called)


def _account(here: _Here, account: int, synced: datetime | None, stage: str) -> Proof:
    return Proof(synced, "On file", f"{here.accounts[account]}, stage {stage_label(stage, here.play)}")


def _person(here: _Here, account: int, person: int, title: str | None) -> Proof:
    return Proof(None, "On file", ", ".join(filter(None, (here.called(person), clean(title)))))


def _decision(here: _Here, account: int, at: datetime, person: int, content: str | None, reason: str | None) -> Proof:
    """What planning answered when it looked last."""
    why = BECAUSE[Reason(reason)] if reason in list(Reason) else ""
    title = f"“{title_of(content, here.play, here.accounts[account])}”" if content else ""
    return Proof(at, "Plan", f"{here.called(person)}: {', '.join(filter(None, (title, why))) or 'nothing planned'}")


def _objection(here: _Here, account: int, at: datetime, person: int | None, words: str) -> Proof:
    return Proof(at, "Rep", f"{here.called(person)}: “{clean(words)}”")


def _proposal(here: _Here, account: int, at: datetime, first: str | None, last: str | None, why: str) -> Proof:
    name = clean(f"{first or ''} {last or ''}") or "Somebody"
    return Proof(at, "List", f"{name}: {clean(why)}")


def _handover(here: _Here, account: int, at: datetime, before: str | None) -> Proof:
    return Proof(at, "On file", f"{here.accounts[account]} came from {clean(before) or 'nobody'}")


_SAYS: Mapping[str, Callable[..., Proof]] = {
    "account": _account, "stakeholder": _person, "decision": _decision, "objection": _objection,
    "proposal": _proposal, "handover": _handover,
}  # fmt: skip
