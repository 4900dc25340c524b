"""The lock: database triggers that refuse what no code path may do, whoever wrote it.

1. Touches and send plans move along the edges of touch_states.py only; what was sent stays sent.
2. A touch enters `sending` only with a live certificate for its plan, and only when nobody said no: judged by the
   rows of that moment and the touch's own `claimed_at`, so that virtual time works.
3. What was certified cannot be altered, and a certified plan takes no new members.

The lock is the last of three layers and shares no code with the other two, on purpose: a mistake in the gate or in
the claim is not repeated here. It does not cover somebody who may drop triggers: give the sender a database role that
may not. Recreating the table `touch` (Alembic's batch mode on SQLite does) drops triggers: run `install` again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, MetaData, event, text
from sqlalchemy.exc import DBAPIError

from accounts.models import Base
from accounts.touch_states import PLAN_EDGES, TOUCH_EDGES

#: The touch comes in as NEW. A row comes out when its certificate is live: this plan, this digest, this member, now.
_LIVE_CERTIFICATE = """
    SELECT 1 FROM certificate c
      JOIN send_plan p ON p.id = c.plan_id AND p.digest = c.digest AND p.state = 'certified'
      JOIN plan_member m ON m.plan_id = c.plan_id AND m.touch_id = NEW.id
     WHERE c.plan_id = NEW.plan_id AND c.revoked_at IS NULL AND c.expires_at > NEW.claimed_at"""

#: Comes out when the person of that row, of that moment, at the certified address, may be written to.
_PERSON = """
    SELECT 1 FROM stakeholder s
     WHERE s.id = NEW.stakeholder_id AND s.account_id = NEW.account_id AND s.email = NEW.address"""
_CONSENTS = _PERSON + " AND s.consent_basis IS NOT NULL"

#: Come out when somebody said no. A no counts for the address, in whichever account it was said.
_OPTED_OUT = """
    SELECT 1 FROM plan_member m JOIN stakeholder s ON s.email_hash = m.email_hash
     WHERE m.plan_id = NEW.plan_id AND m.touch_id = NEW.id AND s.opted_out_at IS NOT NULL"""
_UNREACHABLE = """
    SELECT 1 FROM plan_member m JOIN stakeholder s ON s.email_hash = m.email_hash
     WHERE m.plan_id = NEW.plan_id AND m.touch_id = NEW.id AND s.email_status <> 'ok'"""
_SUPPRESSED_ADDRESS = """
    SELECT 1 FROM plan_member m JOIN suppression x ON x.email_hash = m.email_hash
     WHERE m.plan_id = NEW.plan_id AND m.touch_id = NEW.id
       AND (x.expires_at IS NULL OR x.expires_at > NEW.claimed_at)"""
_SUPPRESSED_DOMAIN = """
    SELECT 1 FROM plan_member m JOIN suppression x ON x.domain_hash = m.domain_hash AND x.email_hash IS NULL
     WHERE m.plan_id = NEW.plan_id AND m.touch_id = NEW.id
       AND (x.expires_at IS NULL OR x.expires_at > NEW.claimed_at)"""
_HELD = """
    SELECT 1 FROM hold h
     WHERE h.account_id = NEW.account_id AND (h.scope = 'account' OR h.stakeholder_id = NEW.stakeholder_id)
       AND h.released_at IS NULL AND h.starts_at <= NEW.claimed_at
       AND (h.ends_at IS NULL OR h.ends_at > NEW.claimed_at)"""

#: What the lock asks, in this order; the first that is true names the refusal.
LOCK: tuple[tuple[str, str], ...] = (
    ("no claim time", "NEW.claimed_at IS NULL"),
    ("no live certificate", f"NOT EXISTS ({_LIVE_CERTIFICATE})"),
    ("too late", "NEW.not_after < NEW.claimed_at"),
    ("address changed", f"NOT EXISTS ({_PERSON})"),
    ("no consent", f"NOT EXISTS ({_CONSENTS})"),
    ("opted out", f"EXISTS ({_OPTED_OUT})"),
    ("bounced, complained or left", f"EXISTS ({_UNREACHABLE})"),
    ("suppressed", f"EXISTS ({_SUPPRESSED_ADDRESS}) OR EXISTS ({_SUPPRESSED_DOMAIN})"),
    ("held", f"EXISTS ({_HELD})"),
)

#: How every word of the lock begins.
_SPEAKS = "lock:"
#: Refusals that a person's word explains; it may have come after the claim had looked.
SAID_BY_PEOPLE: tuple[str, ...] = (
    "address changed", "no consent", "opted out", "bounced, complained or left", "suppressed", "held",
)  # fmt: skip


def refusal_in(error: DBAPIError) -> str | None:
    """What the lock said, if it is the lock that speaks: ``lock: opted out``."""
    said = str(error.orig).splitlines()[:1]
    return said[0] if said and said[0].startswith(f"{_SPEAKS} ") else None


def _no_edge(edges: Iterable[tuple[str, str]]) -> str:
    """The condition of a move that is on no edge."""
    along = " OR ".join(f"(OLD.state = '{start}' AND NEW.state = '{end}')" for start, end in edges)
    return f"OLD.state <> NEW.state AND NOT ({along})"


_SEALED = ("plan_id", "account_id", "stakeholder_id", "channel", "address", "content", "content_digest", "stage",
           "play_version")  # fmt: skip
_ALTERED = " OR ".join(f"OLD.{column} <> NEW.{column} OR NEW.{column} IS NULL" for column in _SEALED)
_CERTIFIED_PLAN = "EXISTS (SELECT 1 FROM certificate c WHERE c.plan_id = NEW.plan_id)"


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a row of `table` is written so (`moment`, `when`), refuse with the first sentence whose condition holds.

    per_statement: PostgreSQL asks once for all rows of an UPDATE, which costs it a fifth of asking for each.
    """

    name: str
    table: str
    moment: str
    when: str
    refusals: tuple[tuple[str, str], ...]
    per_statement: bool = False


TRIGGERS: tuple[Trigger, ...] = (
    Trigger(
        "touch_moves_along_edges", "touch", "BEFORE UPDATE OF state", _no_edge(TOUCH_EDGES),
        (("not a move a touch can make", "TRUE"),),
    ),
    Trigger(
        "send_plan_moves_along_edges", "send_plan", "BEFORE UPDATE OF state", _no_edge(PLAN_EDGES),
        (("not a move a send plan can make", "TRUE"),),
    ),
    Trigger("touch_is_born_locked", "touch", "BEFORE INSERT", "NEW.state = 'sending'", LOCK),
    Trigger(
        "touch_enters_locked", "touch", "BEFORE UPDATE OF state", "NEW.state = 'sending' AND OLD.state <> 'sending'",
        LOCK, per_statement=True,
    ),
    Trigger(
        "touch_keeps_its_seal", "touch", f"BEFORE UPDATE OF {', '.join(_SEALED)}",
        f"OLD.state = 'certified' AND NEW.state IN ('certified', 'sending') AND ({_ALTERED})",
        (("certified, so it cannot be altered", "TRUE"),),
    ),
    Trigger(
        "plan_member_is_closed", "plan_member", "BEFORE INSERT", "TRUE",
        (("a certified plan takes no new members", _CERTIFIED_PLAN),),
    ),
    Trigger("plan_member_is_sealed", "plan_member", "BEFORE UPDATE", "TRUE", (("a seal stays", "TRUE"),)),
)  # fmt: skip


def _sqlite(trigger: Trigger) -> list[str]:
    ask = "\n".join(
        f"    WHEN {condition} THEN RAISE(ABORT, '{_SPEAKS} {name}')" for name, condition in trigger.refusals
    )
    head = f"CREATE TRIGGER IF NOT EXISTS {trigger.name} {trigger.moment} ON {trigger.table} WHEN {trigger.when}"
    return [f"{head} BEGIN SELECT CASE\n{ask}\n  END; END"]


def _postgresql(trigger: Trigger) -> list[str]:
    ask = "\n".join(f"    WHEN {condition} THEN '{name}'" for name, condition in trigger.refusals)
    ask = f"CASE\n{ask}\n  END"
    if trigger.per_statement:
        return _postgresql_statement(trigger, ask)
    function = _postgresql_function(trigger.name, f"refusal := {ask};")
    head = f"CREATE OR REPLACE TRIGGER {trigger.name} {trigger.moment} ON {trigger.table} FOR EACH ROW"
    return [function, f"{head} WHEN ({trigger.when}) EXECUTE FUNCTION {trigger.name}()"]


def _postgresql_statement(trigger: Trigger, ask: str) -> list[str]:
    """After the statement, over the rows it wrote, as they were and as they are; an exception takes it all back."""
    rows = f"rows_after JOIN rows_before ON rows_before.id = rows_after.id WHERE {trigger.when}"
    asked = f"SELECT {ask} AS refusal FROM {rows}".replace("NEW.", "rows_after.").replace("OLD.", "rows_before.")
    look = f"SELECT asked.refusal INTO refusal FROM ({asked}) AS asked WHERE asked.refusal IS NOT NULL LIMIT 1;"
    tables = "REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after FOR EACH STATEMENT"
    head = f"CREATE OR REPLACE TRIGGER {trigger.name} AFTER UPDATE ON {trigger.table} {tables}"
    return [_postgresql_function(trigger.name, look), f"{head} EXECUTE FUNCTION {trigger.name}()"]


def _postgresql_function(name: str, look: str) -> str:
    refuse = f"RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = '{_SPEAKS} ' || refusal"
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"DECLARE refusal text;\nBEGIN\n  {look}\n"
        f"  IF refusal IS NOT NULL THEN {refuse}; END IF;\n  RETURN NEW;\nEND $$"
    )


#: The statements that make the lock, one by one; safe to run again.
SQLITE: tuple[str, ...] = tuple(chain.from_iterable(map(_sqlite, TRIGGERS)))
POSTGRESQL: tuple[str, ...] = tuple(chain.from_iterable(map(_postgresql, TRIGGERS)))


def install(connection: Connection) -> None:
    """Make the lock, or what of it is missing."""
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)


def missing(connection: Connection) -> list[str]:
    """Names of the triggers that ought to be there and are not; empty when the lock is whole."""
    present = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
    }[connection.dialect.name]
    names = set(connection.scalars(text(present)))
    return [trigger.name for trigger in TRIGGERS if trigger.name not in names]


@event.listens_for(Base.metadata, "after_create")
def _install_with_the_tables(_target: MetaData, connection: Connection, **_options: object) -> None:
    install(connection)
