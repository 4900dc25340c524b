"""A rep at the browser: links as briefs have them, and forms filled in as they come."""

from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import requests
from sqlalchemy import func, insert, select, update

from accounts.ledger.engine import reading, writing
from accounts.models import Account, Audit, Base, Brief, Decision, Rep
from flows.briefs.links import GOOD_FOR, RepLink, link
from tests.cast import NOW, PLAY, World
from tests.web.visitor import SECRET, Browser

DAY = timedelta(days=1)
TODAY = NOW.date()


def path(
    world: World, kind: str, account: str | None = "acme", about: int = 0, *, rep: str = "ravi", brief: int = 0,
    issued: date = TODAY,
) -> str:  # fmt: skip
    """``path(world, "hold")``: where the link of a brief leads."""
    number = world.accounts[account] if account else 0
    to = RepLink(world.reps[rep], brief, number, kind, about, issued)
    return link("", SECRET, to, issued + GOOD_FOR)


def brief(world: World, at: datetime = NOW, rep: str = "ravi", payload: Any = None) -> int:
    """A brief that was delivered, without a word in it unless one is given."""
    with writing(world.engine) as connection:
        row = insert(Brief).values(
            rep_id=world.reps[rep], as_of=at, words=0, payload=payload or {}, state="delivered"
        )  # fmt: skip
        return int(connection.execute(row.returning(Brief.id)).scalar_one())


def planned(world: World, name: str, content: str, days: float = 2) -> None:
    """Planning's answer for this person: that mail, so many days from now."""
    at = {"answer": "wait", "reason": "waiting_step", "until": NOW + timedelta(days=days)}
    values = {**at, "content": f"{PLAY}/{content}", "stage": "evaluation", "play": PLAY, "as_of": NOW}
    with writing(world.engine) as connection:
        id = world.people[name]
        if connection.scalar(select(Decision.as_of).where(Decision.stakeholder_id == id)) is None:
            row = insert(Decision).values(stakeholder_id=id, account_id=world.accounts["acme"], **values)
            connection.execute(row)
        else:
            connection.execute(update(Decision).where(Decision.stakeholder_id == id).values(values))


def set_rep(world: World, name: str, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps[name]).values(**values))


def give(world: World, account: str, rep: str) -> None:
    """The account changes hands."""
    with writing(world.engine) as connection:
        here = Account.id == world.accounts[account]
        connection.execute(update(Account).where(here).values(owner_id=world.reps[rep]))


def audited(world: World, action: str = "rep-link") -> list[Any]:
    with reading(world.engine) as connection:
        query = select(Audit.__table__).where(Audit.action == action).order_by(Audit.id)
        return list(connection.execute(query))


def rows_but_audit(world: World) -> dict[str, Any]:
    """Every row of every table but the audit, so that nothing can change unseen."""
    with reading(world.engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in Base.metadata.sorted_tables
            if table.name != "audit"
        }


def count(world: World, table: type[Any]) -> int:
    with reading(world.engine) as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


class Forms(HTMLParser):
    """The forms of a page: where each leads, and its fields as they are filled in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str]]]] = []
        self._select: str | None = None
        self._text: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = dict(attrs)
        name, value = had.get("name") or "", had.get("value") or ""
        if tag == "form":
            self.found.append((had.get("action") or "", []))
        elif tag == "input" and name and (had.get("type") not in ("radio", "checkbox") or "checked" in had):
            self.found[-1][1].append((name, value))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in had and self._select:
            self.found[-1][1].append((self._select, value))
        elif tag == "textarea":
            self._text = name
            self.found[-1][1].append((name, ""))

    def handle_data(self, data: str) -> None:
        if self._text:
            name, before = self.found[-1][1].pop()
            self.found[-1][1].append((name, before + data))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = None
        elif tag == "select":
            self._select = None


def press(web: Browser, page: requests.Response, number: int = 0, **filled: str) -> requests.Response:
    """Presses the button of the page's form, with its fields as they are but for those `filled`."""
    action, fields = Forms(page.text).found[number]
    kept = [(name, value) for name, value in fields if name not in filled]
    form = {"content-type": "application/x-www-form-urlencoded"}  # also of a form without a field
    return web.post(action, data=[*kept, *filled.items()], headers=form)
