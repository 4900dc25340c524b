"""What comes into the reply mailbox, understood: bounces, complaints, absences, departures, and words of people.

    understand(raw) -> Understood         understanding.py    which question decides
      reading.py      bytes -> Mail, whatever they are        saying.py     phrases in a text (phrases/*.toml)
      bounces.py      what a server gives back                causes.py     why, and what follows from it
      notices.py      a server's notice in plain words        reports.py    a server's report in fields (RFC 3464)
      complaints.py   ARF (RFC 5965)                          machines.py   written by a program?
      absences.py     away, and back when                     days.py       days and weekdays in four languages
      departures.py   gone, and who follows                   quoting.py    the words of the reply alone

Pure functions: no network, no database, no clock.
"""

from flows.mailbox.understanding import understand
from flows.mailbox.understood import Action, Bounce, Cause, Complaint, Departure, Kind, Understood

__all__ = ["Action", "Bounce", "Cause", "Complaint", "Departure", "Kind", "Understood", "understand"]
