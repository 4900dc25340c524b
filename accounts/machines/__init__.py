"""Which opens, clicks and downloads no person made, how sure that is, and why.

    verdict.py     signs add up to a verdict with a confidence and its reasons
    own_signs.py   what a signal says of itself: the provider's word, the request, the program, the network
    programs.py    names of programs                    networks.py    where scanners live (networks.toml, to be edited)
    pace.py        what only neighbours show: seconds after the delivery, all links at once, the company of a program
    judging.py     all of it, for many signals at once

Mail gateways fetch every link to look for malware, and mail programs load pictures ahead of the reader. Such signals
are kept and weigh nothing. What a person asked for (an opt-out, a reply) is never called a machine's.
"""

from accounts.machines.judging import Mailed, Trace, judge
from accounts.machines.own_signs import own_verdict
from accounts.machines.pace import WINDOW
from accounts.machines.verdict import ENOUGH, JUDGED, SUSPECTS, Verdict

__all__ = ["ENOUGH", "JUDGED", "SUSPECTS", "WINDOW", "Mailed", "Trace", "Verdict", "judge", "own_verdict"]
