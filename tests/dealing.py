"""Who runs which tests: a file at a time; those that need a Prefect server as one party, so that one server does."""

from xdist.scheduler import LoadFileScheduling

#: How a test begins that belongs to the party. All of it takes one process as long as the others take for the rest.
PARTY = "tests/flows/"


class Dealer(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return PARTY if nodeid.startswith(PARTY) else super()._split_scope(nodeid)
