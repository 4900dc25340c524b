"""Who runs which tests: a file at a time; those that need a Prefect server as two parties, so that two servers do."""

from xdist.scheduler import LoadFileScheduling

#: How a test begins -> its party; the first that fits. What starts programs of its own takes as long as the rest.
PARTIES = {
    "tests/flows/test_killed": "programs",
    "tests/flows/test_spreading": "programs",
    "tests/flows/test_up": "programs",
    "tests/flows/": "flows",
}


class Dealer(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        party = (party for beginning, party in PARTIES.items() if nodeid.startswith(beginning))
        return next(party, None) or super()._split_scope(nodeid)
