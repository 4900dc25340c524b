"""The cast's world, and what Ravi's brief is made of: the fixtures of tests/briefs."""

from tests.briefs.conftest import add as add
from tests.briefs.conftest import decide as decide
from tests.briefs.conftest import play as play
from tests.briefs.conftest import settings as settings
from tests.briefs.conftest import signal as signal
