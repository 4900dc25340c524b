"""The product's flow, in a process that lacks one of its protections: what a killed run's judgement has to find out."""

import os
from contextlib import ExitStack

from flows.nurture import nurture_accounts
from tests.chaos.sabotage import SABOTAGES, sabotaged

__all__ = ["nurture_accounts"]

_REMOVED = ExitStack()
_REMOVED.enter_context(sabotaged(SABOTAGES[os.environ["CHAOS_SABOTAGE"]]))
