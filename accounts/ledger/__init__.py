"""All SQL, one module per noun. Functions take an open `Connection` first and never ask the clock.

Here stand the tools of every room (engine, driver, bulk, rows), the shape of the database and what keeps it (schema,
locks, rights, portable), and the few nouns that every room speaks of (audit, announcements, subjects, suppressions,
weeks). Above them, each room knowing only those below:

pages        what people look up: an account, its history, why, how the ledger is
sending      claims, what came of them, and who is in which ad audience
signals      what came back: taken in, whose it is, what it does
briefs       what reps are told, and by which road        people       who is in a buying group, and their rights
importing    rows from outside until they are judged
reps         who speaks for an account, and what they say
planning     decisions, plans and touches                 engagement   scores and verdicts
sla          the clocks of promises between marketing and sales
"""
