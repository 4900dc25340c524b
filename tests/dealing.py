"""Who runs which tests: a file at a time, but all that need a Prefect server in one process, or there would be two."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/flows/",)


class Dealer(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        together = (folder for folder in TOGETHER if nodeid.startswith(folder))
        return next(together, None) or super()._split_scope(nodeid)
