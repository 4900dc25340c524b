"""The app ends while noes wait for the next lot: what was answered is kept, and the next run hears each of them."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from accounts.ledger.engine import reading
from accounts.models import Stakeholder, Webhook
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.signals.post import play
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid
from tests.webhooks.serving import app

#: Whom the posts are about, in their order; the first is heard at once, and the others would be after the breath.
WHO = ("alice", "bob", "charlie", "erin")


def told(world: World, where: str) -> list[int]:
    """Each post tells that somebody opted out; what it was answered."""
    answers = []
    for name in WHO:
        request = senders.sendgrid([sendgrid("unsubscribe", email=f"{name}@acme.example", sg_event_id=name)])
        taken = requests.post(f"{where}/hooks/sendgrid", data=request.body, headers=dict(request.headers), timeout=60)
        answers.append(taken.status_code)
    return answers


def silent(world: World) -> set[str]:
    """Who said no, as far as the ledger knows."""
    with reading(world.engine) as connection:
        theirs = select(Stakeholder.id).where(Stakeholder.opted_out_at.is_not(None))
        known = set(connection.scalars(theirs))
    return {name for name in WHO if world.people[name] in known}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_what_waited_for_the_breath_is_heard_by_the_next_run(world: World, end: signal.Signals, tmp_path: Path) -> None:
    with app(world, breath=3600) as (where, process):
        assert told(world, where) == [200] * len(WHO)
        os.kill(process.pid or 0, end)
        process.join(60)
        assert process.exitcode is not None, "it ends, however long the breath would have been"
    assert silent(world) <= {"alice"}
    with reading(world.engine) as connection:
        assert len(list(connection.scalars(select(Webhook.id)))) == len(WHO)
    collect(world.engine, Settings(home=tmp_path), play(), NOW + timedelta(minutes=1))
    assert silent(world) == set(WHO)
