"""Putting the rules of a suite to the rows of a query, with Great Expectations: what comes back, unjudged.

It gets a connection of its own, never the app's, and never the address, which holds a password. The rows are copied
once into temporary tables (ours: its own copies are made anew each time it looks); from then on it only reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import connect as open_sqlite
from typing import Any

from sqlalchemy import Engine, text

from expectations.audience import SOMEBODY, About, Rule
from expectations.judging import great_expectations
from expectations.snapshot import ROWS

#: Longest wait for a locked database, and for one rule, in seconds.
PATIENCE = 10
#: How a rule that crashed says so, somewhere in the text of its exception.
CRASHED = "'raised_exception': True"


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back, and which rows the broken rules mean."""

    rows: int
    #: (rule id, kept, text of the exception)
    said: Sequence[tuple[str, bool, str]] = ()
    #: rule id -> touch ids, of the rules about rows that were broken
    found: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: Why nothing came back, in one line; empty when it did.
    trouble: str = ""


def hear(engine: Engine, tables: Sequence[tuple[str, str]], rules: Sequence[Rule]) -> Answers:
    """Make the temporary `tables` (name, query), then judge the rows of `ROWS` by `rules`, and that there are any.

    Rules about rows are asked in one go, since a question costs its frame ten times what it costs the database; only if
    one of them is not kept is every rule asked by itself.

    Raises whatever its many layers raise.
    """
    gx = great_expectations()
    opened: list[Any] = []  # the library leaves some of its connections open; we close what we gave
    source = _open_source(gx, engine, opened)
    asker = source.get_execution_engine()
    try:
        for name, query in tables:
            asker.execute_query_in_transaction(text(f"CREATE TEMPORARY TABLE {name} AS {query}"))
        if engine.dialect.name == "postgresql":  # SQLite's file was opened for reading only
            asker.execute_query_in_transaction(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        asset = source.get_asset("plan")
        batch = asset.get_batch(asset.build_batch_request())
        of_rows = [rule for rule in rules if rule.about is About.ROW]
        said = _ask(gx, batch, [of_rows, *([rule] for rule in rules if rule not in of_rows)])
        if not all(kept for id, kept, _ in said if any(id == rule.id for rule in of_rows)):
            said = _ask(gx, batch, [[rule] for rule in rules])
        broken = {id for id, kept, trouble in said if not kept and CRASHED not in trouble}
        found = {
            rule.id: list(asker.execute_query(text(rule.finds.replace("{batch}", ROWS))).scalars())
            for rule in rules
            if rule.id in broken and rule.about is About.ROW
        }
        count = asker.execute_query(text(f"SELECT count(*) FROM {ROWS}")).scalar_one()
        return Answers(int(count), said, found)
    finally:
        asker.close()
        for connection in opened:
            connection.close()


def _ask(gx: Any, batch: Any, groups: Sequence[Sequence[Rule]]) -> list[tuple[str, bool, str]]:
    """What came back for each rule: what came back for its group."""
    result = batch.validate(_suite(gx, groups), result_format="BOOLEAN_ONLY")
    return [
        (id, bool(one.success), str(one.exception_info))
        for one in result.results
        for id in one.expectation_config.meta["rules"]
    ]


def _suite(gx: Any, groups: Sequence[Sequence[Rule]]) -> Any:
    expectations = [
        gx.expectations.UnexpectedRowsExpectation(
            unexpected_rows_query=" UNION ALL ".join(rule.finds for rule in group),
            description=" ".join(rule.sentence for rule in group),
            meta={"rules": [rule.id for rule in group]},
        )
        for group in groups
        if group
    ]
    expectations.append(gx.expectations.ExpectTableRowCountToBeBetween(min_value=1, meta={"rules": [SOMEBODY]}))
    return gx.ExpectationSuite("audience", expectations=expectations)


def _open_source(gx: Any, engine: Engine, opened: list[Any]) -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    def open_one() -> Any:
        opened.append(_open_file(engine) if engine.dialect.name == "sqlite" else _open_server(engine))
        return opened[-1]

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # All in one: it writes its configuration down each time it is told something.
    assets = [{"name": "plan", "type": "query", "query": f"SELECT * FROM {ROWS}"}]
    if engine.dialect.name == "sqlite":
        kwargs: dict[str, Any] = {"creator": open_one}
        return context.data_sources.add_sqlite("ledger", connection_string="sqlite://", kwargs=kwargs, assets=assets)
    # One connection for good: the temporary table lives in it.
    kwargs = {"creator": open_one, "pool_size": 1, "max_overflow": 0}
    placeholder = "postgresql+psycopg://ledger@ledger/ledger"
    return context.data_sources.add_postgres("ledger", connection_string=placeholder, kwargs=kwargs, assets=assets)


def _open_file(engine: Engine) -> Any:
    database = f"{Path(engine.url.database or '').absolute().as_uri()}?mode=ro"
    connection = open_sqlite(database, uri=True, timeout=PATIENCE, check_same_thread=False)
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _open_server(engine: Engine) -> Any:
    import psycopg

    _, arguments = engine.dialect.create_connect_args(engine.url)
    options = {
        "timezone": "UTC",
        "statement_timeout": f"{PATIENCE}s",
        "work_mem": "64MB",
        # Some thousand rows of a ledger that may have millions: look each of them up, never walk whole tables; it is
        # neither worth compiling for, nor other processes, nor waiting for the disk.
        "random_page_cost": "1.1",
        "effective_cache_size": "4GB",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
        "synchronous_commit": "off",
    }
    return psycopg.connect(
        **{**arguments, "options": " ".join(f"-c {name}={value}" for name, value in options.items())}
    )
