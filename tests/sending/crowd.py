"""A plan for many people of one account, all due with the same content."""

from sqlalchemy import insert, select

from accounts.identity import email_hash
from accounts.ledger.engine import writing
from accounts.models import Account, Decision, Stakeholder
from tests.cast import NOW, PLAY, World
from tests.sending.desk import DAY, certify, freeze
from tests.sending.nurse import CONTENT, mailroom


def plan_for_many(world: World, people: int) -> int:
    """A certified plan: ``p0@globex.example``, ``p1@globex.example`` …, numbered as their touches are."""
    address = "p{}@globex.example".format
    with writing(world.engine) as connection:
        person = {"account_id": world.accounts["globex"], "consent_basis": "consent", "consent_at": NOW - DAY}
        person |= {"first_name": "Pat", "last_name": "Example", "role": "champion"}
        rows = [
            {**person, "email": address(n), "email_hash": email_hash(address(n)), "title": f"Buyer {n}"}
            for n in range(people)
        ]
        connection.execute(insert(Stakeholder), rows)
        ids = connection.scalars(select(Stakeholder.id).where(Stakeholder.title.like("Buyer %"))).all()
        decided = {"account_id": world.accounts["globex"], "as_of": NOW, "answer": "touch", "until": NOW, "play": PLAY}
        decided |= {"content": CONTENT, "stage": "discovery"}
        connection.execute(insert(Decision), [{**decided, "stakeholder_id": id} for id in ids])
        connection.execute(Account.__table__.update().values(industry="Metals"))
    plan_id = freeze(world, mailroom().compiled.play)
    certify(world, plan_id)
    return plan_id
