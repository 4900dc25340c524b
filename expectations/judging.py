"""Great Expectations as the judge: are the rules of a suite kept by the rows of a query?

It judges over a read-only connection of its own, never the app's. Its own verdict fails open (an empty suite passes, so
does an empty table, and a rule that crashes keeps its severity), so the verdict is ours: every rule that was asked has
to come back, none may have crashed, and there is at least one row.

Importing Great Expectations takes seconds and 220 MiB: it happens here, when something is judged, and nowhere else.
"""

import gc
import logging
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from accounts.garbage import uncollected
from expectations.rules import Rule, Suite, any_broken, filled

SOME_ROWS = "there_is_at_least_one_row"
#: Longest wait for a locked database, in seconds, and for one rule on PostgreSQL.
PATIENCE = 30
LONGEST_RULE = 600


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came out, by rule id. It passed only if nothing failed, crashed or got lost."""

    failed: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not (self.failed or self.crashed or self.missing)

    def __str__(self) -> str:
        parts = (("not kept", self.failed), ("crashed", self.crashed), ("not answered", self.missing))
        return "; ".join(f"{word}: {', '.join(ids)}" for word, ids in parts if ids) or "all rules kept"


#: (rules it answers for, whether they are all kept, what its exception said) of one expectation.
Answer = tuple[tuple[str, ...], bool, str]


def judge(place: Path | Engine, query: str, suite: Suite, values: Mapping[str, str]) -> Judgement:
    """Judge the rows of `query` (it begins with SELECT and must be committed) by the critical rules of `suite`.

    `place`: the SQLite file where they are, or the engine of a PostgreSQL database, of which only the address is used.
    `values` fill the placeholders of the rules. Rules about single rows are asked in one go, as one look at each row
    answers them all; only if something is wrong are they asked one by one. Never raises for what a rule does: a crash
    is a judgement.
    """
    together = _ask(place, query, [suite.about_rows, *((rule,) for rule in suite.about_all)], values)
    if together.passed:
        return together
    return _ask(place, query, [(rule,) for rule in suite.critical], values)


def conclude(asked: Sequence[str], answers: Sequence[Answer]) -> Judgement:
    """The verdict on what came back; pure, so that it can be tested by hand."""
    crashed = [rule for rules, _, trouble in answers if "'raised_exception': True" in trouble for rule in rules]
    failed = [rule for rules, success, _ in answers if not success for rule in rules if rule not in crashed]
    came_back = {rule for rules, _, _ in answers for rule in rules}
    return Judgement(tuple(failed), tuple(crashed), tuple(sorted({*asked, SOME_ROWS} - came_back)))


def _ask(place: Path | Engine, query: str, groups: Sequence[Sequence[Rule]], values: Mapping[str, str]) -> Judgement:
    gx = great_expectations()
    expectations = [_as_expectation(gx, group, values) for group in groups if group]
    expectations.append(gx.expectations.ExpectTableRowCountToBeBetween(min_value=1, meta={"rules": [SOME_ROWS]}))
    try:
        with _source(gx, place, query) as source:
            asset = source.get_asset("rows")
            batch = asset.get_batch(asset.build_batch_request())
            suite = gx.ExpectationSuite("rules", expectations=expectations)
            results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    except Exception as error:  # whatever its many layers raise: unjudged is not passed
        said = str(error).splitlines()[0] if str(error) else "no word"
        return Judgement(crashed=(f"{type(error).__name__}: {said}",))
    answers = [
        (tuple(one.expectation_config.meta["rules"]), bool(one.success), str(one.exception_info)) for one in results
    ]
    return conclude([rule.id for group in groups for rule in group], answers)


def _as_expectation(gx: Any, rules: Sequence[Rule], values: Mapping[str, str]) -> Any:
    """One expectation for one rule, or for several about single rows."""
    one = rules[0].sql if len(rules) == 1 else f"SELECT entry FROM {{batch}} WHERE {any_broken(rules, values)}"
    return gx.expectations.UnexpectedRowsExpectation(
        unexpected_rows_query=filled(one, values),
        description=" ".join(rule.sentence for rule in rules),
        severity="critical",
        meta={"rules": [rule.id for rule in rules]},
    )


def great_expectations() -> Any:
    """The library, with its side effects undone: it would take over all warnings of the process, and its two thousand
    modules would be walked by every garbage collection from then on."""
    is_new = "great_expectations" not in sys.modules
    with uncollected():
        import great_expectations as gx

    if is_new:
        logging.captureWarnings(False)
        for talker in ("great_expectations", "great_expectations.data_context.types.base"):
            logging.getLogger(talker).setLevel(logging.WARNING)
        gc.freeze()
    return gx


@contextmanager
def _source(gx: Any, place: Path | Engine, query: str) -> Iterator[Any]:
    """A source that can only read, with the query as its asset "rows". Addresses go to the driver and never into a
    configuration; connections that the library forgets to close are closed here."""
    from great_expectations.data_context.types.base import ProgressBarsConfig

    opened: list[Any] = []

    def opening() -> Any:
        opened.append(_open_file(place) if isinstance(place, Path) else _open_server(place))
        return opened[-1]

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    add = context.data_sources.add_sqlite if isinstance(place, Path) else context.data_sources.add_postgres
    placeholder = "sqlite://" if isinstance(place, Path) else "postgresql+psycopg://ledger@ledger/ledger"
    rows = {"name": "rows", "type": "query", "query": query}
    try:
        # all in one: it writes its configuration down each time it is told something, which takes longer than to judge
        source = add("rows", connection_string=placeholder, kwargs={"creator": opening}, assets=[rows])
        try:
            yield source
        finally:
            source.get_execution_engine().close()
    finally:
        for connection in opened:
            connection.close()


def _open_file(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE, check_same_thread=False)


def _open_server(engine: Engine) -> Any:
    import psycopg

    _, arguments = engine.dialect.create_connect_args(engine.url)
    limits = ("default_transaction_read_only=on", f"statement_timeout={LONGEST_RULE}s", "timezone=UTC", "work_mem=64MB")
    return psycopg.connect(**{**arguments, "options": " ".join(f"-c {limit}" for limit in limits)})
