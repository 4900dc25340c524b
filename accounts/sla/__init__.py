"""Who owes whom what, and by when: the promises between sales and marketing that `play.yaml` writes down under `sla`.

hours.py    working time: whose calendar counts, less the spans in which a hold pauses the clock
causes.py   what starts a clock, and what stops it
clocks.py   one clock looked at: due, paused, warned, escalated, met, breached

All of it is pure. `accounts/ledger/sla/clocks.py` keeps the clocks; `flows/sales/sla.py` looks at them.
"""

from accounts.sla.causes import ASKS as ASKS
from accounts.sla.clocks import Clock as Clock
from accounts.sla.owed import Owing as Owing
from accounts.sla.owed import owed_answer as owed_answer
from accounts.sla.owed import owed_call as owed_call
