"""A rep at the browser: links as briefs have them, and forms filled in as they come."""

from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import requests
from sqlalchemy import func, insert, select, update

from accounts.ledger.engine import reading, writing
from accounts.models import Account, Audit, Base, Brief, Decision, Delay, Handover, Rep
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
    """That mail to this person waits for so many days, and is the next one they get."""
    at = {"answer": "wait", "reason": "waiting_step", "until": NOW + timedelta(days=days)}
    values = {**at, "content": f"{PLAY}/{content}", "stage": "evaluation", "play": PLAY, "as_of": NOW}
    with writing(world.engine) as connection:
        id = world.people[name]
        if connection.scalar(select(Decision.as_of).where(Decision.stakeholder_id == id)) is None:
            row = insert(Decision).values(stakeholder_id=id, account_id=world.accounts["acme"], **values)
            connection.execute(row)
        else:
            connection.execute(update(Decision).where(Decision.stakeholder_id == id).values(values))
        waits = {"stakeholder_id": id, "content": values["content"], "by": "mia", "until": at["until"], "at": NOW - DAY}
        connection.execute(insert(Delay).values(waits))


def set_rep(world: World, name: str, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps[name]).values(**values))


def give(world: World, account: str, rep: str) -> None:
    """The account changes hands."""
    with writing(world.engine) as connection:
        here = Account.id == world.accounts[account]
        connection.execute(update(Account).where(here).values(owner_id=world.reps[rep]))


def hand_over(world: World, account: str, to: str | None) -> None:
    """As an import notes it."""
    with writing(world.engine) as connection:
        here = Account.id == world.accounts[account]
        before, after = connection.scalar(select(Account.owner_id).where(here)), world.reps[to] if to else None
        row = {"account_id": world.accounts[account], "from_rep_id": before, "to_rep_id": after, "at": NOW}
        connection.execute(insert(Handover).values(row))
        connection.execute(update(Account).where(here).values(owner_id=after))


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
        #: Words on each button, where it leads if not where its form does, and the number and heading of its form.
        self.buttons: list[tuple[str, str, int, str]] = []
        self._button: str | None = None
        self._heading = ""
        self._select: str | None = None
        self._text: str | None = None
        self._words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = dict(attrs)
        name, value = had.get("name") or "", had.get("value") or ""
        if tag == "form":
            self.found.append((had.get("action") or "", []))
            self._heading = ""
        elif tag in ("button", "h2"):
            self._button = (had.get("formaction") or "") if tag == "button" else None
            self._words = ""
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
        self._words += data
        if self._text:
            name, before = self.found[-1][1].pop()
            self.found[-1][1].append((name, before + data))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = None
        elif tag == "h2":
            self._heading = self._words
        elif tag == "button" and self._button is not None:
            self.buttons.append((self._words, self._button, len(self.found) - 1, self._heading))
        elif tag == "select":
            self._select = None


def press(web: Browser, page: requests.Response, number: int = 0, **filled: str) -> requests.Response:
    """Presses the button of the page's form, with its fields as they are but for those `filled`."""
    action, fields = Forms(page.text).found[number]
    return _post(web, action, fields, filled)


def press_button(
    web: Browser, page: requests.Response, label: str, about: str = "", **filled: str
) -> requests.Response:  # fmt: skip
    """Presses the button with these words, in the form whose heading names `about`."""
    forms = Forms(page.text)
    meant = [one for one in forms.buttons if one[0] == label and about in one[3]]
    assert len(meant) == 1, (label, about, forms.buttons)
    ((_, address, number, _),) = meant
    action, fields = forms.found[number]
    return _post(web, address or action, fields, filled)


def _post(
    web: Browser, action: str, fields: list[tuple[str, str]], filled: dict[str, str]
) -> requests.Response:  # fmt: skip
    kept = [(name, value) for name, value in fields if name not in filled]
    form = {"content-type": "application/x-www-form-urlencoded"}  # also of a form without a field
    return web.post(action, data=[*kept, *filled.items()], headers=form)
