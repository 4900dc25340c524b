"""Where the processes come from that tests start, to do something elsewhere or to be killed: forked from one that has
imported all they need, once. Born in a tenth of a second; otherwise each would import it again.
"""

import multiprocessing

#: Where their work stands, and what it imports only when it begins.
NEEDED = (
    "tests.flows.elsewhere",
    "tests.importing.test_killed",
    "tests.sending.nurse",
    "tests.sending.test_stopping",
    "tests.web.test_killed",
    "tests.webhooks.serving",
    "flows.web.app",
    "flows.web.serving",
    "psycopg",
    "tests.plays",
    "uvicorn",
)
#: A process has one list for all of them, and the last word counts: so it is said once, here.
NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(list(NEEDED))
