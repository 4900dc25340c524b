"""The demo's CRM: everything sales will ever write down in three weeks, from one seed, exported as of any day.

`build_world(seed, start)` decides it all up front; `World.export(folder, now)` writes the CSV files of the native
contract as the CRM would have shown them at `now`. The demo imports that export through the ordinary door each day.
"""

import csv
import random
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flows.demo.cast import COMPANIES, DIVISIONS, REGIONS, TITLES, Region

VENDOR_DOMAIN = "lumenflow.example"

#: The way a deal goes: CRM stage (Salesforce's names) and the days until the next one, at the usual speed.
JOURNEY = (
    ("Qualification", 6),
    ("Needs Analysis", 8),
    ("Proof of Concept", 9),
    ("Proposal/Price Quote", 8),
    ("Negotiation/Review", 9),
    ("Closed Won", 0),
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dated:
    """A row of an export and the moment sales wrote it down."""

    since: datetime
    row: Row


@dataclass(frozen=True)
class World:
    """Six reps, forty accounts, their people, and what sales does with them."""

    reps: list[Row]
    accounts: list[Row]
    people: list[Row]
    activities: list[Dated]
    #: Versions of each opportunity; the newest one that is known on a day is what the export shows.
    opportunities: list[Dated]
    #: What happened before the story begins: addresses that bounced, people who left or opted out.
    past_signals: list[Row]

    def export(self, folder: Path, now: datetime) -> list[Path]:
        """Write reps, accounts, stakeholders, opportunities and activities as the CRM shows them at `now`."""
        folder.mkdir(parents=True, exist_ok=True)
        deals = {dated.row["opportunity"]: dated.row for dated in self.opportunities if dated.since <= now}
        done = [dated.row for dated in self.activities if dated.since <= now]
        tables: dict[str, list[Row]] = {
            "reps": self.reps,
            "accounts": self.accounts,
            "stakeholders": self.people,
            "opportunities": list(deals.values()),
            "activities": done,
        }
        return [write_csv(folder / f"{name}.csv", rows) for name, rows in tables.items() if rows]


def build_world(seed: int, start: datetime) -> World:
    """The same world for the same seed and start (aware UTC, a Monday morning)."""
    dice = random.Random(seed)  # noqa: S311  a story, not a secret
    reps = [_rep(name, local, region) for region in REGIONS for name, local in region.reps]
    world = World(reps, [], [], [], [], [])
    for number, (company, industry, division, region, rep) in enumerate(_companies()):
        account = _account(dice, company, industry, division, region, rep)
        world.accounts.append(account)
        people = _people(dice, account, region, start)
        world.people.extend(people)
        _sales_story(dice, world, number, account, people, start)
    _share_one_person(world)
    _jump_back(world, start)
    _slips(world, start)
    _past(dice, world, start)
    return world


def write_csv(path: Path, rows: list[Row]) -> Path:
    """UTF-8 CSV with the union of the rows' columns, in order of first appearance."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def slug(words: str) -> str:
    """``Glasswerk Tiefental`` as ``glasswerk-tiefental``; accents fall off."""
    plain = unicodedata.normalize("NFKD", words.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _companies() -> list[tuple[str, str, str, Region, str]]:
    """Company, industry, division, region and rep's mailbox; regions and reps take turns."""
    listed = [
        (company, industry, "", REGIONS[number % 3], REGIONS[number % 3].reps[number // 3 % 2][1])
        for number, (company, industry) in enumerate(COMPANIES)
    ]
    company, industry, divisions = DIVISIONS
    parts = [(company, industry, divisions[number], REGIONS[number], REGIONS[number].reps[0][1]) for number in (0, 1)]
    return listed + parts


def _rep(name: str, local: str, region: Region) -> Row:
    manager = f"{slug(region.name)}@{VENDOR_DOMAIN}"
    address = f"{local}@{VENDOR_DOMAIN}"
    return {"email": address, "name": name, "manager_email": manager, "timezone": region.timezone, "slack_id": ""}


def _account(dice: random.Random, company: str, industry: str, division: str, region: Region, rep: str) -> Row:
    domain = f"{slug(company).replace('-', '')}.example"
    return {
        "account": slug(f"{company} {division}"),
        "name": f"{company} {division}".strip(),
        "domain": domain,
        "division": division,
        "tier": dice.choice(["1", "2", "2", "3"]),
        "industry": industry,
        "territory": region.name,
        "country": region.country,
        "owner_email": f"{rep}@{VENDOR_DOMAIN}",
    }


def _people(dice: random.Random, account: Row, region: Region, start: datetime) -> list[Row]:
    """Four to seven people; most titles say what they are, few have a role in the CRM, some never gave a basis."""
    titles = TITLES[region.language]
    size = dice.choice([4, 5, 5, 6, 6, 7])
    chosen = [*titles[:4], *dice.sample(titles[4:], size - 4)]
    if dice.random() < 0.3:
        chosen[dice.randrange(4)] = dice.choice(
            ["Projektbüro", "Werkstudent"] if region.language == "de" else ["Consultant"]
        )
    names: set[str] = set()
    return [_person(dice, account, region, title, names, start) for title in chosen]


def _person(dice: random.Random, account: Row, region: Region, title: str, taken: set[str], start: datetime) -> Row:
    while True:
        first, last = dice.choice(region.first_names), dice.choice(region.last_names)
        local = f"{slug(first)}.{slug(last)}"
        if local not in taken:
            taken.add(local)
            break
    basis = dice.choices(["legitimate_interest", "consent", ""], [70, 22, 8])[0]
    given = start - timedelta(days=dice.randint(20, 300))
    return {
        "account": account["account"],
        "email": f"{local}@{account['domain']}",
        "first_name": first,
        "last_name": last,
        "title": title,
        "role": "Champion" if title in ("Energy Manager", "Energiemanagerin") and dice.random() < 0.4 else "",
        "timezone": region.timezone if dice.random() < 0.7 else "",
        "country": region.country,
        "language": region.language,
        "consent_basis": basis,
        "consent_at": given.date().isoformat() if basis else "",
        "ads_consent_basis": "consent" if basis == "consent" else "",
        "ads_consent_at": given.date().isoformat() if basis == "consent" else "",
    }


def _sales_story(
    dice: random.Random, world: World, number: int, account: Row, people: list[Row], start: datetime
) -> None:
    """When sales gets through, how fast the deal moves, what is written down on the way."""
    rep = account["owner_email"]
    champion = people[0]["email"]
    contact = start + timedelta(days=_contact_day(dice, number), hours=dice.randint(1, 7))
    attempt = contact - timedelta(days=dice.randint(2, 5))
    note = _Notebook(world, account["account"], rep)
    note.activity(attempt, "call", "outbound", "no answer", champion, "Tried to reach")
    if number % 13 == 5:
        return  # sales never gets through: nobody here is ever written to
    note.activity(contact, "meeting", "outbound", "held", champion, "First conversation")
    day = contact + timedelta(days=dice.randint(1, 3))
    amount = dice.randint(12, 160) * 1000
    pace = dice.uniform(0.6, 1.8)
    for step, (stage, days) in enumerate(JOURNEY[: dice.randint(2, 6)]):
        note.deal(day, stage, amount, contact, pace)
        if step and dice.random() < 0.5:
            guest = dice.choice(people)["email"]
            note.activity(day + timedelta(hours=3), "email", "outbound", "sent", guest, "Notes from our call")
        if step and dice.random() < 0.35:
            note.activity(
                day + timedelta(days=2), "meeting", "outbound", "held", dice.choice(people)["email"], "Review"
            )
        day += timedelta(days=max(2, round(days * pace)))
    if dice.random() < 0.06:
        note.deal(day, "Closed Lost", amount, contact, pace)


def _contact_day(dice: random.Random, number: int) -> int:
    """Days from the start of the story: two thirds of the accounts are known, the rest is met on the way."""
    return dice.randint(-45, -6) if number % 3 else dice.randint(-4, 12)


def sales_call(world: World, account: str, rep: str, email: str, at: datetime) -> None:
    """A rep reached somebody, and wrote it down."""
    _Notebook(world, account, rep).activity(at, "call", "outbound", "connected", email, "Called back")


@dataclass(frozen=True, slots=True)
class _Notebook:
    """What one rep writes down about one account."""

    world: World
    account: str
    rep: str

    def activity(self, at: datetime, kind: str, direction: str, outcome: str, email: str, subject: str) -> None:
        row = {
            "activity": f"{self.account}-{kind}-{at:%Y%m%d%H}",
            "account": self.account,
            "stakeholder_email": email,
            "rep_email": self.rep,
            "kind": kind,
            "direction": direction,
            "outcome": outcome,
            "occurred_at": at.isoformat(),
            "subject": subject,
        }
        self.world.activities.append(Dated(at, row))

    def deal(self, at: datetime, stage: str, amount: int, created: datetime, pace: float) -> None:
        row = {
            "opportunity": f"opp-{self.account}",
            "account": self.account,
            "name": "Load management",
            "stage": stage,
            "amount": amount,
            "currency": "EUR",
            "created_at": created.date().isoformat(),
            "close_date": (created + timedelta(days=round(45 * pace))).date().isoformat(),
            "is_won": str(stage == "Closed Won").lower(),
        }
        self.world.opportunities.append(Dated(at, row))


def _share_one_person(world: World) -> None:
    """A consultant who sits in two buying groups at once: held back until a rep says where they belong."""
    borrowed = next(row for row in world.people if row["account"] == world.accounts[4]["account"])
    world.people.append({**borrowed, "account": world.accounts[10]["account"], "title": "Consultant", "role": ""})


def _jump_back(world: World, start: datetime) -> None:
    """Somebody reopens a signed deal at the front of the pipeline: a move the play does not allow."""
    won = next((deal for deal in world.opportunities if deal.row["stage"] == "Closed Won"), world.opportunities[-1])
    at = max(won.since, start) + timedelta(days=4)
    world.opportunities.append(Dated(at, {**won.row, "stage": "Qualification", "is_won": "false"}))


def _slips(world: World, start: datetime) -> None:
    """What every export has: an address without a domain, a rep nobody knows, a meeting next year, a deal of nobody."""
    someone, first = world.people[0], world.activities[0].row
    unreachable = {**someone, "email": "to.be.completed", "first_name": "Unknown", "last_name": "Person"}
    world.people.append(unreachable)
    former_rep = {**first, "activity": "typo-1", "rep_email": f"former.rep@{VENDOR_DOMAIN}"}
    next_year = {**first, "activity": "typo-2", "occurred_at": (start + timedelta(days=300)).isoformat()}
    world.activities.extend([Dated(start, former_rep), Dated(start, next_year)])
    nobodys = {**world.opportunities[0].row, "opportunity": "opp-nobody", "account": "a-company-we-lost"}
    world.opportunities.append(Dated(start, nobodys))


def _past(dice: random.Random, world: World, start: datetime) -> None:
    """Six people opted out, four addresses bounced and two people left before the story begins."""
    chosen = dice.sample([person for person in world.people if "@" in person["email"]], 12)
    kinds = ["unsubscribed"] * 6 + ["bounced"] * 4 + ["left_company"] * 2
    for number, (person, kind) in enumerate(zip(chosen, kinds, strict=True)):
        at = start - timedelta(days=dice.randint(8, 60))
        row = {"signal": f"past-{number}", "account": person["account"], "email": person["email"], "kind": kind}
        world.past_signals.append({**row, "occurred_at": at.isoformat(), "content": "", "url": ""})
