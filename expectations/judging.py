"""Great Expectations as the judge: are the rules of a suite kept by the rows of a query?

It judges over a read-only connection of its own, never the app's. Its own verdict fails open (an empty suite passes, so
does an empty table, and a rule that crashes keeps its severity), so the verdict is ours: every rule that was asked has
to come back, none may have crashed, and there is at least one row.

Importing Great Expectations takes seconds and 220 MiB: it happens here, when something is judged, and nowhere else.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Engine

from expectations.rules import Rule

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


def judge(engine: Engine, query: str, rules: Sequence[Rule], values: Mapping[str, str]) -> Judgement:
    """Judge the rows of `query` (it begins with SELECT and must be committed) by the SQL of `rules`.

    `values` fill the placeholders of the rules. Never raises for what a rule does: a crash is a judgement.
    """
    gx = great_expectations()
    expectations = [_as_expectation(gx, rule, values) for rule in rules]
    expectations.append(gx.expectations.ExpectTableRowCountToBeBetween(min_value=1, meta={"rule": SOME_ROWS}))
    source = _open_source(gx, engine)
    try:
        batch = source.add_query_asset("rows", query=query).add_batch_definition_whole_table("now").get_batch()
        result = batch.validate(gx.ExpectationSuite("rules", expectations=expectations), result_format="BOOLEAN_ONLY")
        answers = [
            (str(r.expectation_config.meta["rule"]), bool(r.success), str(r.exception_info)) for r in result.results
        ]
    except Exception as error:  # whatever its many layers raise: unjudged is not passed
        return Judgement(
            crashed=(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no word'}",)
        )
    finally:
        source.get_execution_engine().close()
    return conclude([rule.id for rule in rules], answers)


def conclude(asked: Sequence[str], answers: Sequence[tuple[str, bool, str]]) -> Judgement:
    """The verdict on (rule, success, exception text) of each answer; pure, so that it can be tested by hand."""
    crashed = [rule for rule, _, trouble in answers if "'raised_exception': True" in trouble]
    failed = [rule for rule, success, _ in answers if not success and rule not in crashed]
    missing = sorted({*asked, SOME_ROWS} - {rule for rule, _, _ in answers})
    return Judgement(tuple(failed), tuple(crashed), tuple(missing))


def _as_expectation(gx: Any, rule: Rule, values: Mapping[str, str]) -> Any:
    return gx.expectations.UnexpectedRowsExpectation(
        unexpected_rows_query=rule.judged(values),
        description=rule.sentence,
        severity=str(rule.severity),
        meta={"rule": rule.id},
    )


def great_expectations() -> Any:
    """The library, with its side effects undone: it would take over all warnings of the process."""
    import great_expectations as gx

    logging.captureWarnings(False)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    return gx


def _open_source(gx: Any, engine: Engine) -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    if engine.dialect.name == "sqlite":
        url = f"sqlite:///file:{engine.url.database}?mode=ro&uri=true"
        return context.data_sources.add_sqlite("ledger", connection_string=url, kwargs=_patience())
    # the address is a placeholder: what it stands for goes to the driver and never into a configuration
    placeholder = "postgresql+psycopg://ledger@ledger/ledger"
    kwargs = {"connect_args": _read_only(engine)}
    return context.data_sources.add_postgres("ledger", connection_string=placeholder, kwargs=kwargs)


def _patience() -> dict[str, Any]:
    return {"connect_args": {"timeout": PATIENCE}}


def _read_only(engine: Engine) -> dict[str, Any]:
    url: URL = engine.url
    _, arguments = engine.dialect.create_connect_args(url)
    limits = f"-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout={LONGEST_RULE}s"
    return {**arguments, "options": limits}
