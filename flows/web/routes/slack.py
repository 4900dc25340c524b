"""`/hooks/slack/actions`: a rep answers without leaving Slack. The button carries the token of the link it stands for.

Proved to be Slack's, then the same checks as of a page: the token genuine, not over, not taken back, the account still
theirs; and the person who clicked is the rep it was made for. What came of it is said to that person alone.
"""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from accounts.answers import AnswerKind, Via, parse
from accounts.briefs.stored import from_payload
from accounts.errors import Refused
from accounts.ledger.engine import writing
from accounts.ledger.reps import links as rep_links
from accounts.ledger.reps.profiles import slack_id_of
from flows.sales.answers import answer
from flows.web.desk import Desk, desk_of, read_body
from flows.web.routes.reps.door import Shut, Visit, enter
from flows.webhooks import Forged
from flows.webhooks.slack import AT_ONCE, MOST, Click

#: One sentence for every button that does nothing, whatever the reason.
OVER = "This button does nothing any more. Your next brief has a fresh one."

routes = APIRouter()


@routes.post("/hooks/slack/actions")
async def receive(request: Request) -> Response:
    """Answers within the three seconds that Slack waits; the words follow."""
    desk = desk_of(request)
    clicks = desk.clicks
    if clicks is None:
        return Response(status_code=404)
    try:
        body = await read_body(request, MOST)
        clicks.prove(request.headers, body, desk.clock())
    except HTTPException:
        desk.hooks.count("slack", "413")
        return Response(status_code=413)
    except Forged:
        desk.hooks.count("slack", "forged")
        return Response(status_code=403)
    desk.hooks.count("slack", "new")
    click = clicks.read(body)
    if click is None:
        return Response(status_code=200)
    words = await run_in_threadpool(act, desk, click)
    return Response(status_code=200, background=BackgroundTask(clicks.whisper, click, words))


def act(desk: Desk, click: Click) -> str:
    """Does what the button says, and says what came of it."""
    now = desk.clock()
    with writing(desk.engine) as connection:
        found = enter(connection, desk, click.token, now)
        form = _form(connection, found, click)
        is_theirs = found.to is not None and slack_id_of(connection, found.to.rep_id) == click.user
        _note(connection, found, now, is_theirs=form is not None)
    if isinstance(found, Shut) and found.given_up and is_theirs:
        return f"{found.given_up.sentence} Nothing has changed."
    if form is None or isinstance(found, Shut):
        return OVER
    to = found.to
    said = parse(form, zone=found.local.zone)
    try:
        told = answer(
            desk.engine, desk.play, said, by=found.holder.email, rep_id=to.rep_id, via=Via.SLACK, now=now,
            brief_id=to.brief_id or None,
        )  # fmt: skip
    except Refused as refusal:
        return f"Nothing changed: {refusal.what}."
    return str(told)


def _form(connection: Connection, found: Visit | Shut, click: Click) -> dict[str, str] | None:
    """The answer as a form has it; None for a button that is not theirs, or asks for more than a yes."""
    if isinstance(found, Shut) or found.to.kind not in AT_ONCE:
        return None
    to = found.to
    if slack_id_of(connection, to.rep_id) != click.user:
        return None
    form = {"kind": to.kind, "account": str(to.account_id)}
    if to.subject:
        form["person"] = str(to.subject)
    if to.kind == AnswerKind.VETO:
        content = _planned(connection, found)
        return {**form, "content": content} if content else None
    return form


def _planned(connection: Connection, visit: Visit) -> str | None:
    """Which mail the brief meant: a no to one is not a no to all."""
    to = visit.to
    payload = rep_links.read_payload(connection, to.brief_id, to.rep_id)
    accounts = from_payload(payload).accounts if payload else ()
    planned = (mail for account in accounts if account.id == to.account_id for mail in account.planned)
    return next((mail.content for mail in planned if mail.person == to.subject), None)


def _note(connection: Connection, found: Visit | Shut, now: datetime, *, is_theirs: bool) -> None:
    """The use of the button in the audit, as that of a link; and that the brief was read."""
    to, holder = found.to, found.holder
    if to is None or holder is None:
        return
    why = {"why": found.why} if isinstance(found, Shut) else {}
    after = {"kind": to.kind, "about": to.subject, "brief": to.brief_id, "via": Via.SLACK, **why}
    action = rep_links.USED if is_theirs else rep_links.REFUSED
    opened = to.brief_id if is_theirs else None
    rep_links.note_uses(connection, [rep_links.Use(holder, action, now, after, opened)])
