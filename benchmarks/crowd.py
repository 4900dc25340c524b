"""A ledger full of invented accounts, for benchmarks: buying groups of four to seven, three past touches a person.

Everything follows from the size and a seed. Shares (who is held, opted out, suppressed) stand where they are used.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, insert

from accounts.ledger.engine import writing
from accounts.models import (
    Account,
    Activity,
    Hold,
    Opportunity,
    Rep,
    RoleChange,
    Stakeholder,
    Suppression,
    Touch,
    Veto,
)
from accounts.playbook import Cadence, Group, Play, StageRule, Step, Vendor, WantedRole, Window
from accounts.vocabulary import Role

#: A Tuesday morning: some places are at work, some asleep.
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PLAY = "new-business"
STAGES = ("target", "contacted", "discovery", "evaluation", "proposal", "negotiation", "won", "lost")
NURTURED = STAGES[1:6]
ROLES = (
    Role.CHAMPION, Role.ECONOMIC_BUYER, Role.TECHNICAL_EVALUATOR, Role.END_USER, Role.PROCUREMENT, Role.LEGAL,
    Role.INFLUENCER,
)  # fmt: skip
STEPS_PER_ROLE = 4
PLACES = (
    ("Europe/Berlin", "DE"), ("Europe/Paris", "FR"), ("Europe/Madrid", "ES"), ("Europe/London", "GB"),
    ("America/New_York", "US"), ("America/Chicago", "US"), ("America/Sao_Paulo", "BR"), ("Asia/Tokyo", "JP"),
    ("Asia/Kolkata", "IN"), ("Australia/Sydney", "AU"), (None, "NL"), (None, None),
)  # fmt: skip
REPS = 400
DAY = timedelta(days=1)


def crowd_play() -> Play:
    """Five nurtured stages, seven roles, four steps each: 140 contents, each for one role."""
    cadence = Cadence(every=4 * DAY, not_after=10 * DAY)
    return Play(
        key=PLAY, version="b" * 64, title="New business",
        vendor=Vendor(name="Lumenflow", domain="lumenflow.example", postal_address="-", privacy_url="-"),
        stages=tuple(
            StageRule(key=key, label=key, nurtured=key in NURTURED, cadence=cadence if key in NURTURED else None)
            for key in STAGES
        ),
        group=Group(wanted=(WantedRole(role=Role.CHAMPION, least=1), WantedRole(role=Role.ECONOMIC_BUYER, least=1))),
        window=Window(default_timezone="Europe/Berlin", default_country="DE"),
        stale_crm_after=14 * DAY,
        steps=tuple(
            Step(
                key=content_key(stage, role, number), stage=stage, subject="-", preheader="-", roles=(role,),
                step=number, after=(1 + 2 * number) * DAY, not_after=10 * DAY, owner="-", review_by=date(2027, 3, 31),
                expires=date(2027, 6, 30), asset="-", digest="d" * 64,
            )
            for stage in NURTURED for role in ROLES for number in range(1, STEPS_PER_ROLE + 1)
        ),
    )  # fmt: skip


def content_key(stage: str, role: str, number: int) -> str:
    return f"{PLAY}/{stage}/{role.replace('_', '-')}-{number}"


def fill(engine: Engine, accounts: int, *, seed: int = 7) -> dict[str, int]:
    """Writes `accounts` accounts with about 5.5 stakeholders and 16 past touches each; the number of rows per table."""
    rows: dict[str, int] = {}
    tables = (
        (Rep, reps()), (Account, accounts_rows(accounts, seed)), (Stakeholder, people_rows(accounts, seed)),
        (Opportunity, opportunity_rows(accounts, seed)), (RoleChange, role_rows(accounts, seed)),
        (Touch, touch_rows(accounts, seed)), (Activity, activity_rows(accounts, seed)),
        (Hold, hold_rows(accounts, seed)), (Veto, veto_rows(accounts, seed)),
        (Suppression, suppression_rows(accounts, seed)),
    )  # fmt: skip
    for table, values in tables:
        with writing(engine) as connection:
            rows[table.__tablename__] = write(connection, table, values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return rows


def write(connection: Connection, table: Any, values: Iterable[dict[str, Any]]) -> int:
    """Inserts dictionaries in batches; how many."""
    total, source = 0, iter(values)
    while batch := list(islice(source, 20_000)):
        connection.execute(insert(table.__table__), batch)
        total += len(batch)
    return total


def reps() -> Iterator[dict[str, Any]]:
    for number in range(REPS):
        zone = PLACES[number % 8][0]
        yield {"id": number + 1, "email": f"rep{number}@lumenflow.example", "name": f"Rep {number}", "timezone": zone}


def account_facts(number: int, seed: int) -> tuple[random.Random, str, datetime | None]:
    """The dice of one account, its stage and when it got there; the same whenever they are asked for."""
    dice = random.Random(seed * 1_000_003 + number)
    stage = dice.choices(STAGES, weights=(10, 22, 22, 18, 10, 6, 6, 6))[0]
    entered = None if stage == "target" else NOW - timedelta(minutes=dice.randrange(60, 60 * 24 * 45))
    return dice, stage, entered


def group_size(number: int) -> int:
    """4, 5, 6, 7, again and again: 5.5 on average."""
    return 4 + number % 4


def first_person(number: int) -> int:
    """Id of the first stakeholder of an account."""
    return 22 * (number // 4) + (0, 4, 9, 15)[number % 4] + 1


def accounts_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    for number in range(accounts):
        dice, stage, entered = account_facts(number, seed)
        country = dice.choice(PLACES)[1]
        yield {
            "id": number + 1, "key": f"a{number}", "name": f"Account {number}", "domain": f"a{number}.example",
            "tier": dice.choice("123"), "industry": "Manufacturing", "country": country, "timezone": None,
            "owner_id": 1 + number % REPS, "play": PLAY, "stage": stage, "stage_entered_at": entered,
            "first_contacted_at": entered and entered - 40 * DAY,
            "synced_at": NOW - (20 * DAY if number % 100 == 99 else timedelta(hours=3)),  # 1 % stale
            "replan_at": None,
        }  # fmt: skip


def people_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    for number in range(accounts):
        dice, _, _ = account_facts(number, seed)
        for seat in range(group_size(number)):
            id = first_person(number) + seat
            address = f"p{seat}@a{number}.example"
            zone, country = dice.choice(PLACES) if seat % 2 else (None, None)
            fate = dice.random()
            yield {
                "id": id, "account_id": number + 1, "email": address,
                "email_hash": sha256(address.encode()).hexdigest(), "first_name": f"First{id}",
                "last_name": f"Last{id}", "title": "Head of something", "role": role_of(number, seat),
                "role_source": "rule", "timezone": zone, "country": country, "language": "en",
                "consent_basis": None if fate < 0.03 else "legitimate_interest",
                "consent_at": NOW - 200 * DAY,
                "email_status": "bounced" if 0.03 <= fate < 0.05 else "ok",
                "opted_out_at": NOW - 30 * DAY if 0.05 <= fate < 0.09 else None,
                "paused_until": NOW + 3 * DAY if 0.09 <= fate < 0.095 else None,
                "is_home": False, "owner_conflict": 0.095 <= fate < 0.1,
            }  # fmt: skip


def role_of(number: int, seat: int) -> str:
    return str(Role.UNKNOWN) if (number * 7 + seat) % 25 == 0 else str(ROLES[seat % len(ROLES)])


def opportunity_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    for number in range(0, accounts, 2):
        _, stage, entered = account_facts(number, seed)
        yield {
            "account_id": number + 1, "name": "Deal", "stage": stage, "is_open": True, "is_won": False,
            "created_at": entered, "source_id": f"o{number}",
        }  # fmt: skip


def role_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    for number in range(accounts):
        for seat in range(group_size(number)):
            yield {
                "account_id": number + 1, "stakeholder_id": first_person(number) + seat, "from_role": None,
                "to_role": role_of(number, seat), "source": "rule", "at": NOW - 90 * DAY,
            }  # fmt: skip


def touch_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    """Three a person on average, most of them in the stages before; some went out in the last seven days."""
    for number in range(accounts):
        dice, stage, entered = account_facts(number, seed)
        if entered is None:
            continue
        reached = min(STAGES.index(stage), len(NURTURED))
        for seat in range(group_size(number)):
            role = role_of(number, seat)
            if role == Role.UNKNOWN:
                continue
            sent = entered
            for past in range(reached, 0, -1):
                current = past == reached and stage in NURTURED
                here = dice.randrange(0, 4) if current else dice.choice((1, 1, 1, 2))
                sent = entered + 2 * DAY if current else min(sent, entered) - 12 * DAY
                for step in range(1, here + 1):
                    at = sent + (step - 1) * 5 * DAY + timedelta(minutes=dice.randrange(0, 600))
                    if at < NOW:
                        yield sent_touch(number, first_person(number) + seat, STAGES[past], role, step, at)


def sent_touch(number: int, person: int, stage: str, role: str, step: int, at: datetime) -> dict[str, Any]:
    return {
        "account_id": number + 1, "stakeholder_id": person, "rep_id": 1 + number % REPS, "channel": "email",
        "play": PLAY, "play_version": "b" * 64, "stage": stage, "content": content_key(stage, role, step),
        "content_digest": "d" * 64, "address": f"p@a{number}.example", "timezone": "Europe/Berlin",
        "timezone_source": "account", "state": "sent", "due_at": at, "not_after": at + 10 * DAY, "sent_at": at,
        "claimed_at": at, "attempts": 1, "provider": "smtp",
    }  # fmt: skip


def activity_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    """A first meeting each, and reps' own e-mails to a fifth of the accounts in the last weeks."""
    for number in range(accounts):
        dice, _, entered = account_facts(number, seed)
        if entered is None:
            continue
        common = {"account_id": number + 1, "rep_id": 1 + number % REPS}
        yield {
            **common, "stakeholder_id": first_person(number), "kind": "meeting", "direction": "outbound",
            "outcome": "held", "is_contact": True, "occurred_at": entered - 40 * DAY, "source_id": f"m{number}",
        }  # fmt: skip
        for mail in range(dice.randrange(1, 5) if number % 5 == 0 else 0):
            yield {
                **common, "stakeholder_id": first_person(number) + mail, "kind": "email", "direction": "outbound",
                "outcome": None, "is_contact": False, "occurred_at": NOW - timedelta(hours=dice.randrange(400)),
                "source_id": f"e{number}-{mail}",
            }  # fmt: skip


def hold_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    """2 % of the accounts are held, 2 % were."""
    for number in range(0, accounts, 50):
        past = number % 100 == 0
        yield {
            "scope": "account", "account_id": number + 1, "stakeholder_id": None, "cause": "rep", "by": "rep",
            "starts_at": NOW - 20 * DAY, "ends_at": NOW - 10 * DAY if past else NOW + 9 * DAY,
        }  # fmt: skip


def veto_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    for number in range(0, accounts, 100):
        content = content_key("discovery", Role.CHAMPION, 1)
        yield {"stakeholder_id": first_person(number), "content": content, "by": "rep", "at": NOW - 50 * DAY}


def suppression_rows(accounts: int, seed: int) -> Iterator[dict[str, Any]]:
    """1 % of the addresses, and a few domains."""
    for number in range(0, accounts, 18):
        address = f"p0@a{number}.example"
        yield {
            "email_hash": sha256(address.encode()).hexdigest(), "domain_hash": None, "reason": "unsubscribed",
            "at": NOW - 60 * DAY, "expires_at": None,
        }  # fmt: skip
    for number in range(0, accounts, 5000):
        yield {
            "email_hash": None, "domain_hash": sha256(f"a{number}.example".encode()).hexdigest(),
            "reason": "competitor", "at": NOW - 60 * DAY, "expires_at": None,
        }  # fmt: skip
