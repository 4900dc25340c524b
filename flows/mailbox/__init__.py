"""What comes into the reply mailbox, understood: bounces, complaints, absences, departures, and words of people.

    understand(raw) -> Understood         understanding.py    which question decides
      reading.py      bytes -> Mail, whatever they are        saying.py     phrases in a text (phrases/*.toml)
      bounces.py      what a server gives back                causes.py     why, and what follows from it
      notices.py      a server's notice in plain words        reports.py    a server's report in fields (RFC 3464)
      complaints.py   ARF (RFC 5965)                          machines.py   written by a program?
      absences.py     away, and back when                     days.py       days, weekdays and weeks in sentences
      departures.py   gone, and who follows                   quoting.py    the words of the reply alone
      envelopes.py    a server's own mail, by its envelope    optouts.py    "no more mail", written instead of clicked

Pure functions: no network, no database, no clock. What reads the mailbox and asks the ledger stands beside them:

    source.py     the mailbox as a door of the intake       imap.py, login.py   the line to it
    matching.py   which mail of ours is it about            signals.py          what is told to the intake
    watching.py   waiting for mail to come
"""

from flows.mailbox.understanding import understand
from flows.mailbox.understood import Action, Bounce, Cause, Complaint, Departure, Kind, Understood

__all__ = ["Action", "Bounce", "Cause", "Complaint", "Departure", "Kind", "Understood", "understand"]
