"""The chaos suite: real processes, a real mail server and two real databases, killed at random moments.

    python -m tests.chaos --histories 1000 --sabotage all     what `make chaos` runs; prints the seed of every history
    python -m tests.chaos --seed 4711                         one again: the same people, faults and moments
    python -m tests.chaos --histories 0 --kill machine        a run under Prefect, when the power goes
    python -m tests.chaos --histories 0 --seed 1 --doors 50   the web app, 50 times

A **history** (history.py) is drawn from its seed: who works when and with which clock, what breaks at which moment, who
says no. The **world** (world.py) is twenty to sixty people who are due. The **house** they live in (databases.py) is a
SQLite file on a small disk, or a PostgreSQL server of our own.

    conductor ──forks──▶ workers (worker.py)           nurture runs as the product does them, one to three at once
    (conductor.py)       post office (post.py)         an SMTP server; writes a letter down before it says 250
                         naysayers (naysayers.py)      opt-outs, holds, vetoes and brakes, with their commit times

Faults strike at three kinds of moments: at a letter (the post office strikes at the n-th, before or after its final
dot), at a statement (a worker strikes at its n-th SQL statement or commit), at a time (the conductor's). They are:
SIGKILL of a worker, of the post office, of all or one process of PostgreSQL; Ctrl-C; a line dropped around the final
dot; refusals for now and for good; a full disk; clocks that jump both ways.

When all faults are over, runs go on until nothing is open. Then comes the **judgement** (judgement.py), from what the
post office wrote down: no letter twice, none lost, nothing sent to who had said no, nothing that was not certified,
and no more unknown outcomes than connections that were cut.

Runs under Prefect are killed, too (killed_runs.py): who carries one out, the Prefect server, PostgreSQL, or all of them
at once (household.py). The next run has to bring it to its end, by the post office's record.

The web app is killed as well, under callers at all of its doors (doors.py): what it answered has to be in the ledger.

Whether the judgement can say guilty is shown by **sabotage** (sabotage.py): one protection of the product is removed
and the same histories must fail.
"""
