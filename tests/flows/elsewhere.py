"""What one of several processes does that decide about the same accounts."""

from accounts.ledger.engine import open_ledger
from accounts.ledger.planning.results import Span
from accounts.tick import Decided, decide
from tests.cast import NOW
from tests.plays import small_play


def decide_elsewhere(url: str, span: Span) -> Decided:
    engine = open_ledger(url)
    try:
        return decide(engine, small_play(), NOW, span=span)
    finally:
        engine.dispose()
