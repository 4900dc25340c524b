"""Reps' answers as they were given: kept once each, with what changed because of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, true

from accounts.answers.kinds import ANSWERS, AnswerKind, Via
from accounts.ledger.bulk import among
from accounts.models import Account, Rep, RepAnswer

#: Two people who answer within this time may not know of each other.
AT_ONCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and what changed because of it."""

    id: int
    account_id: int
    account: str
    stakeholder_id: int | None
    rep_id: int | None
    #: Their name, where we know them; otherwise as they signed.
    by: str
    kind: AnswerKind
    #: ``touch:17``, ``seat:economic_buyer``, ``line:3`` …
    about: str | None
    #: ``No mail to Bob Example until 3 December. Two planned mails were taken back.``; with the reason of an override.
    sentence: str
    #: Ids, days and counts behind the sentence.
    detail: Mapping[str, Any]
    #: Why somebody who does not speak for the account lifted a rep's no; None: nobody did.
    override: str | None
    via: Via
    brief_id: int | None
    at: datetime


def keep(
    connection: Connection, kind: AnswerKind, account_id: int, stakeholder_id: int | None, *, by: str,
    rep_id: int | None, about: str | None, detail: Mapping[str, Any], via: Via, brief_id: int | None, at: datetime,
) -> int:  # fmt: skip
    """The id of its row. `detail`: plain values, with the `sentence` that was told."""
    row = insert(RepAnswer).values(
        account_id=account_id, stakeholder_id=stakeholder_id, rep_id=rep_id, by=by, kind=kind, about=about,
        detail=dict(detail), via=via, brief_id=brief_id, at=at,
    )  # fmt: skip
    return connection.execute(row.returning(RepAnswer.id)).scalar_one()


def answers_since(
    connection: Connection, since: datetime, until: datetime, *, accounts: Collection[int] | None = None,
    reps: Collection[int] | None = None,
) -> dict[int, list[Given]]:  # fmt: skip
    """Account -> what was answered about it after `since` and up to `until`, the earliest first; one query.

    accounts: of these only. reps: of accounts that these reps own now, whoever answered.
    """
    query = _given().where(RepAnswer.at > since, RepAnswer.at <= until).order_by(RepAnswer.at, RepAnswer.id)
    if accounts is not None:
        query = query.where(among(connection, RepAnswer.account_id, sorted(accounts)))
    if reps is not None:
        query = query.where(among(connection, Account.owner_id, sorted(reps)))
    found: dict[int, list[Given]] = {}
    for row in connection.execute(query):
        found.setdefault(row.account_id, []).append(_as_given(row))
    return found


def last_word(
    connection: Connection, kind: AnswerKind, account_id: int, stakeholder_id: int | None, about: str | None, *,
    not_by: str, now: datetime,
) -> Given | None:  # fmt: skip
    """What somebody else said of the same matter shortly before; None where nobody did."""
    matter = ANSWERS[kind].matter
    alike = [other for other, rule in ANSWERS.items() if matter and rule.matter == matter]
    # a seat, or whose a person is, is one question whoever is named; anything else is one of a person or of the account
    is_one = kind in (AnswerKind.SEAT, AnswerKind.CLAIM)
    same = true() if is_one else RepAnswer.stakeholder_id.is_not_distinct_from(stakeholder_id)
    query = _given().where(
        RepAnswer.account_id == account_id, RepAnswer.kind.in_(alike), same,
        RepAnswer.about.is_not_distinct_from(about), RepAnswer.at > now - AT_ONCE, RepAnswer.at <= now,
    )  # fmt: skip
    row = connection.execute(query.order_by(RepAnswer.id.desc()).limit(1)).first()
    return _as_given(row) if row is not None and row.by != not_by else None


def wrong_line_known(
    connection: Connection, account_id: int, about: str, brief_id: int | None, by: str, words: str | None
) -> bool:
    """Whether this person said the same of this line before."""
    query = select(RepAnswer.detail).where(
        RepAnswer.account_id == account_id, RepAnswer.kind == AnswerKind.WRONG_LINE, RepAnswer.about == about,
        RepAnswer.by == by, RepAnswer.brief_id.is_not_distinct_from(brief_id),
    )  # fmt: skip
    return any((detail or {}).get("words") == words for detail in connection.scalars(query))


def _given() -> Any:
    return (
        select(RepAnswer.__table__, Account.key.label("account"), Rep.name.label("name"))
        .join(Account, Account.id == RepAnswer.account_id)
        .outerjoin(Rep, Rep.id == RepAnswer.rep_id)
    )


def _as_given(row: Any) -> Given:
    detail = dict(row.detail or {})
    sentence, override = str(detail.pop("sentence", "")), detail.pop("override", None)
    if override:
        sentence = f"{sentence} The reason given: “{override}”."
    return Given(
        row.id, row.account_id, row.account, row.stakeholder_id, row.rep_id, row.name or row.by, AnswerKind(row.kind),
        row.about, sentence, detail, override, Via(row.via), row.brief_id, row.at,
    )  # fmt: skip
