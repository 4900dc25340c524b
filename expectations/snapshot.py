"""The planned rows of a send plan, each beside every fact the audience suite asks for, at one moment.

Temporary tables, made in order, each by one statement over many rows: what a plan of ten thousand people needs is found
once and joined, not asked ten thousand times. The last one, `ROWS`, has one row per touch.

Everything in the statements is ours: numbers, keys and digests. Drivers take a colon before a letter and a percent sign
for parameters, so neither may stand in them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from accounts.playbook import Play

#: What the rules look at.
ROWS = "plan_rows"


def tables(dialect: str, plan_id: int, play: Play, now: datetime, shares: Mapping[str, float]) -> list[tuple[str, str]]:
    """(name, query) of each temporary table, in the order they are made. `shares`: stage -> its usual share, 0 to 1."""
    sqlite = dialect == "sqlite"
    steps = [(step.key, step.stage, step.digest, step.expires.isoformat()) for step in play.steps]
    usual = [(stage.key, repr(shares.get(stage.key, 0.0))) for stage in play.stages]
    values = {
        "plan_id": str(int(plan_id)),
        "now": _instant(now, sqlite),
        "today": f"'{now.astimezone(UTC).date().isoformat()}'",
        "week_ago": _instant(now - timedelta(days=7), sqlite),
        "well_formed": _WELL_FORMED_SQLITE if sqlite else _WELL_FORMED_POSTGRESQL,
        "steps": _table(steps, 4),
        "usual": _table(usual, 2),
        "nurtured": ", ".join(_text(stage.key) for stage in play.stages if stage.nurtured) or "NULL",
        "counted": "v.kind = 'email' AND v.direction = 'outbound'" if play.caps.count_rep_emails else "1 = 0",
        "person_cap": str(play.caps.person_per_week),
        "account_cap": str(play.caps.account_per_week),
    }
    return [(name, " ".join(query.format(**values).split())) for name, query in _QUERIES]


def _instant(moment: datetime, sqlite: bool) -> str:
    """A literal, as the database keeps times."""
    written = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return f"'{written}'" if sqlite else f"TIMESTAMPTZ '{written}+00'"


def _table(rows: Sequence[tuple[str, ...]], columns: int) -> str:
    """Rows as a table with columns column1, column2 …, on either database; without rows, one that fits nothing."""
    lines = [", ".join(map(_text, row)) for row in rows] or [", ".join(["NULL"] * columns)]
    return "(VALUES " + ", ".join(f"({line})" for line in lines) + ")"


def _text(value: str) -> str:
    """A literal. A mark that a driver could misread becomes one that nothing equals."""
    return "'" + value.replace("'", "''").replace(":", "?").replace("%", "?").replace("\\", "?") + "'"


#: A name, one @, a domain with a dot inside it; no blank, comma or bracket.
_WELL_FORMED_SQLITE = (
    "(t.address GLOB '*?@?*.?*' AND t.address NOT GLOB '*@*@*' AND t.address NOT GLOB '*@.*' "
    "AND t.address NOT GLOB '*.' AND t.address NOT GLOB '*[ ,;<>]*')"
)
_WELL_FORMED_POSTGRESQL = "(t.address ~ '^[^@ ,;<>]+@[^@ ,;<>.]+([.][^@ ,;<>.]+)+$')"

#: The planned touches. What follows joins this table: its size is known to the database, the plan's own rows are new.
_TOUCHES = """
SELECT t.id, t.account_id, t.stakeholder_id, t.rep_id, t.address, t.content, t.content_digest, t.stage, t.due_at,
       t.not_after, m.email_hash, m.domain_hash
  FROM touch t JOIN plan_member m ON m.plan_id = t.plan_id AND m.touch_id = t.id
 WHERE t.plan_id = {plan_id} AND t.state = 'planned'
"""

#: How often the address stood in the plan before this row, and the account. Few columns: wide rows are slow to sort.
_PLACES = """
SELECT id, row_number() OVER (PARTITION BY email_hash ORDER BY id) AS copy,
       row_number() OVER (PARTITION BY account_id ORDER BY due_at, id) AS place_in_account
  FROM plan_touches
"""

#: Each content of the plan: what the play says of it today, and whether anybody ever had these words.
_CONTENTS = """
SELECT d.content, d.content_digest, d.stage, step.column2 AS play_stage,
       step.column3 AS play_digest, step.column4 AS expires,
       CAST(coalesce(share.column2, '0') AS REAL) AS usual_share,
       EXISTS (SELECT 1 FROM touch e WHERE e.content = d.content AND e.state = 'sent'
               AND e.content_digest = d.content_digest) AS sent_before
  FROM (SELECT DISTINCT content, content_digest, stage FROM plan_touches) AS d
  LEFT JOIN {steps} AS step ON step.column1 = d.content
  LEFT JOIN {usual} AS share ON share.column1 = d.stage
"""

#: Each touch somebody said no to: at its address, in whichever account; for its person, its account, its content.
#: CROSS JOIN keeps SQLite from walking the large table to look things up in the small one.
_NOES = """
SELECT noes.id,
       max(CASE WHEN noes.no = 'opted_out' THEN 1 ELSE 0 END) AS opted_out,
       max(CASE WHEN noes.no = 'suppressed' THEN 1 ELSE 0 END) AS suppressed,
       max(CASE WHEN noes.no = 'left' THEN 1 ELSE 0 END) AS gone,
       max(CASE WHEN noes.no = 'bounced' THEN 1 ELSE 0 END) AS bounced,
       max(CASE WHEN noes.no = 'held' THEN 1 ELSE 0 END) AS held,
       max(CASE WHEN noes.no = 'vetoed' THEN 1 ELSE 0 END) AS vetoed
  FROM (
    SELECT t.id, CASE WHEN n.opted_out_at IS NOT NULL OR n.email_status = 'complained' THEN 'opted_out'
                      ELSE n.email_status END AS no
      FROM plan_touches t CROSS JOIN stakeholder n
     WHERE n.email_hash = t.email_hash AND (n.opted_out_at IS NOT NULL OR n.email_status <> 'ok')
    UNION ALL
    SELECT t.id, 'suppressed' FROM plan_touches t CROSS JOIN suppression x
     WHERE x.email_hash = t.email_hash AND (x.expires_at IS NULL OR x.expires_at > {now})
    UNION ALL
    SELECT t.id, 'suppressed' FROM plan_touches t CROSS JOIN suppression x
     WHERE x.domain_hash = t.domain_hash AND x.email_hash IS NULL AND (x.expires_at IS NULL OR x.expires_at > {now})
    UNION ALL
    SELECT t.id, 'held' FROM plan_touches t CROSS JOIN hold h
     WHERE h.account_id = t.account_id AND (h.scope = 'account' OR h.stakeholder_id = t.stakeholder_id)
       AND h.released_at IS NULL AND h.starts_at <= {now} AND (h.ends_at IS NULL OR h.ends_at > {now})
    UNION ALL
    SELECT t.id, 'vetoed' FROM plan_touches t CROSS JOIN veto w
     WHERE w.stakeholder_id = t.stakeholder_id AND (w.content IS NULL OR w.content = t.content)
  ) AS noes
 GROUP BY noes.id
"""

#: Each mail to an account of the plan in the last seven days that left, may have left, or may leave any moment.
_MAILS = """
SELECT o.account_id, o.stakeholder_id FROM touch o
 WHERE o.account_id IN (SELECT account_id FROM plan_touches) AND o.sent_at > {week_ago} AND o.channel = 'email'
UNION ALL
SELECT o.account_id, o.stakeholder_id FROM touch o
 WHERE (o.state IN ('certified', 'sending') OR o.state = 'unknown' AND o.claimed_at > {week_ago})
   AND o.channel = 'email'
UNION ALL
SELECT v.account_id, v.stakeholder_id FROM activity v
 WHERE v.account_id IN (SELECT account_id FROM plan_touches)
   AND v.occurred_at > {week_ago} AND v.occurred_at <= {now} AND {counted}
"""

#: One row per touch: facts, none of them null. A fact that is not known is never one that lets somebody through.
_ROWS = """
SELECT t.id AS touch_id, t.content, t.stage,
       coalesce(s.email = t.address, 1 = 0) AS same_address,
       {well_formed} AS well_formed,
       s.consent_basis IS NOT NULL AND coalesce(s.consent_at <= {now}, 1 = 1) AS consented,
       coalesce(s.paused_until > {now}, 1 = 0) AS away,
       coalesce(s.owner_conflict, 1 = 1) AS owner_conflict,
       coalesce(n.opted_out, 0) = 1 AS opted_out, coalesce(n.suppressed, 0) = 1 AS suppressed,
       coalesce(n.gone, 0) = 1 AS gone, coalesce(n.bounced, 0) = 1 AS bounced, coalesce(n.held, 0) = 1 AS held,
       coalesce(n.vetoed, 0) = 1 AS vetoed,
       coalesce(a.first_contacted_at <= {now}, 1 = 0) AS contacted,
       coalesce(a.stage IN ({nurtured}), 1 = 0) AS nurtured,
       coalesce(a.stage = t.stage, 1 = 0) AS same_stage,
       r.id IS NOT NULL AS signed,
       coalesce(c.play_digest = t.content_digest AND c.play_stage = t.stage, 1 = 0) AS same_words,
       coalesce(c.expires < {today}, 1 = 0) AS expired,
       coalesce(c.sent_before, 1 = 0) AS sent_before, coalesce(c.usual_share, 0.0) AS usual_share,
       t.due_at <= {now} AND coalesce(t.not_after >= {now}, 1 = 1) AS due,
       coalesce(to_person.mails, 0) AS person_mails, coalesce(to_account.mails, 0) AS account_mails,
       {person_cap} AS person_cap, {account_cap} AS account_cap,
       place.copy, place.place_in_account, whole.plan_size
  FROM plan_touches t
  CROSS JOIN (SELECT count(*) AS plan_size FROM plan_touches) AS whole
  JOIN plan_places place ON place.id = t.id
  LEFT JOIN stakeholder s ON s.id = t.stakeholder_id
  LEFT JOIN account a ON a.id = t.account_id
  LEFT JOIN rep r ON r.id = t.rep_id
  LEFT JOIN plan_contents c ON c.content = t.content AND c.content_digest = t.content_digest AND c.stage = t.stage
  LEFT JOIN plan_noes n ON n.id = t.id
  LEFT JOIN (SELECT stakeholder_id, count(*) AS mails FROM plan_mails GROUP BY stakeholder_id) AS to_person
            ON to_person.stakeholder_id = t.stakeholder_id
  LEFT JOIN (SELECT account_id, count(*) AS mails FROM plan_mails GROUP BY account_id) AS to_account
            ON to_account.account_id = t.account_id
"""

_QUERIES = (
    ("plan_touches", _TOUCHES),
    ("plan_places", _PLACES),
    ("plan_contents", _CONTENTS),
    ("plan_noes", _NOES),
    ("plan_mails", _MAILS),
    (ROWS, _ROWS),
)
