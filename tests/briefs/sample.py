"""Material of a rep's Tuesday morning, for tests and for looking at a brief: six accounts, all that can happen."""

from datetime import datetime, timedelta
from itertools import count

from accounts.ahead import Leaving
from accounts.briefs.material import AccountMaterial, Held, Mail, Move, Outlook, Person, RepMaterial, SalesTouch, Sign
from accounts.vocabulary import Answer, EmailStatus, HoldCause, HoldScope, Reason, Role, SignalKind
from tests.cast import NOW, PLAY

YESTERDAY = NOW - timedelta(days=1)
_ids = count(4700)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def sign(kind: SignalKind, person: int | None, days: float, content: str | None = None, *, is_new: bool = True) -> Sign:
    return Sign(next(_ids), kind, person, ago(days), content and f"{PLAY}/{content}", is_new)


def coming(person: int, days: float, content: str) -> tuple[Leaving, ...]:
    """What leaves to somebody: one mail, so many days from now."""
    return (Leaving(NOW + timedelta(days=days), person, f"{PLAY}/{content}"),)


def never(reason: Reason) -> Outlook:
    return Outlook(Answer.NEVER, reason, None)


def person(id_: int, name: str, role: Role, account: str = "acme", **more: object) -> Person:
    address = f"{name.split()[0].lower()}@{account}.example"
    return Person(id_, name, address, role, **more)  # type: ignore[arg-type]


def acme() -> AccountMaterial:
    """In evaluation, six people: a reply, two who engaged, one who opted out."""
    replied = sign(SignalKind.REPLIED, 1, 0.9, "evaluation/five-slides")
    clicked = sign(SignalKind.CLICKED, 2, 0.4, "evaluation/five-year-cost")
    visited = sign(SignalKind.VISITED, 2, 0.3)
    return AccountMaterial(
        id=1,
        key="acme",
        name="Acme Works",
        stage="evaluation",
        people=(
            person(1, "Alice Winter", Role.CHAMPION, last_sign=replied),
            person(
                2, "Bob Castellano", Role.ECONOMIC_BUYER, last_sign=visited, leaving=coming(2, 2.1, "evaluation/pilot")
            ),
            person(
                3,
                "Charlie Brandt",
                Role.TECHNICAL_EVALUATOR,
                leaving=coming(3, 1, "evaluation/security-pack"),
                touches=(301,),
            ),
            person(4, "Dana Fields", Role.END_USER, opted_out_at=ago(0.5)),
            person(5, "Erin Okafor", Role.PROCUREMENT, touches=(304,)),
            person(6, "Frank Huber", Role.LEGAL, outlook=never(Reason.NO_CONSENT)),
        ),
        signs=(
            replied,
            clicked,
            visited,
            sign(SignalKind.UNSUBSCRIBED, 4, 0.5),
            sign(SignalKind.CLICKED, 2, 16, is_new=False),
        ),
        mails=(
            Mail(303, 2, f"{PLAY}/evaluation/five-year-cost", ago(0.8)),
            Mail(304, 5, f"{PLAY}/evaluation/like-with-like", ago(0.7)),
        ),
        sales_touch=SalesTouch(91, "meeting", 1, ago(9)),
    )


def globex() -> AccountMaterial:
    """A key person's address is dead, nobody signs off the budget, and the rest is silent."""
    return AccountMaterial(
        id=2,
        key="globex",
        name="Globex",
        stage="discovery",
        people=(
            person(
                11, "Gina Alvarez", Role.CHAMPION, "globex", leaving=coming(11, 3, "discovery/why-now"), touches=(310,)
            ),
            person(12, "Hank Moreau", Role.ECONOMIC_BUYER, "globex", email_status=EmailStatus.BOUNCED),
            person(13, "Iris Novak", Role.END_USER, "globex", touches=(311,)),
            person(14, "Jon Petersen", Role.UNKNOWN, "globex", outlook=never(Reason.UNKNOWN_ROLE)),
        ),
        signs=(sign(SignalKind.BOUNCED, 12, 0.2),),
        sales_touch=SalesTouch(92, "call", 11, ago(31)),
    )


def initech() -> AccountMaterial:
    """A meeting is booked and the account is on hold because of it."""
    booked = sign(SignalKind.MEETING_BOOKED, 21, 0.3)
    return AccountMaterial(
        id=3,
        key="initech-north",
        name="Initech North",
        stage="discovery",
        people=(
            person(21, "Ivan Sorokin", Role.CHAMPION, "initech", last_sign=booked),
            person(22, "Judy Lang", Role.ECONOMIC_BUYER, "initech"),
            person(23, "Kemal Aydin", Role.TECHNICAL_EVALUATOR, "initech"),
            person(24, "Lena Roth", Role.END_USER, "initech"),
        ),
        signs=(booked,),
        holds=(Held(71, HoldScope.ACCOUNT, None, HoldCause.MEETING, "tandem", ago(0.3), NOW + timedelta(days=4)),),
        sales_touch=SalesTouch(93, "email", 21, ago(3)),
    )


def umbra() -> AccountMaterial:
    """The CRM says something the play does not allow."""
    return AccountMaterial(
        id=4,
        key="umbra",
        name="Umbra Foods",
        stage="contacted",
        people=(
            person(31, "Mona Klein", Role.CHAMPION, "umbra", leaving=coming(31, 0.2, "contacted/two-levers")),
            person(32, "Nils Berg", Role.ECONOMIC_BUYER, "umbra", leaving=coming(32, 5, "contacted/one-quarter-hour")),
            person(33, "Olga Petrova", Role.TECHNICAL_EVALUATOR, "umbra"),
            person(34, "Paul Ndiaye", Role.END_USER, "umbra"),
        ),
        moves=(Move(55, "contacted", "won", ago(0.2), "contacted may not move to won without a proposal"),),
        sales_touch=SalesTouch(94, "call", 31, ago(5)),
    )


def hooli() -> AccountMaterial:
    """Interest rises: two people came back, and sales has not called for a month."""
    downloaded = sign(SignalKind.DOWNLOADED, 41, 0.6)
    visited = sign(SignalKind.VISITED, 42, 0.5)
    return AccountMaterial(
        id=5,
        key="hooli",
        name="Hooli",
        stage="proposal",
        people=(
            person(41, "Quentin Marsh", Role.ECONOMIC_BUYER, "hooli", last_sign=downloaded),
            person(42, "Rosa Lindqvist", Role.TECHNICAL_EVALUATOR, "hooli", last_sign=visited),
            person(43, "Sam Whitaker", Role.CHAMPION, "hooli", leaving=coming(43, 1.2, "proposal/price-schedule")),
            person(44, "Tara Nguyen", Role.END_USER, "hooli", leaving=coming(44, 2.2, "proposal/acceptance-tests")),
        ),
        signs=(downloaded, visited, sign(SignalKind.DOWNLOADED, 41, 0.55)),
        sales_touch=SalesTouch(95, "meeting", 43, ago(33)),
    )


def vandelay() -> AccountMaterial:
    """Marketing wrote; nothing else."""
    return AccountMaterial(
        id=6,
        key="vandelay",
        name="Vandelay",
        stage="contacted",
        people=(person(51, "Uma Thorne", Role.CHAMPION, "vandelay", touches=(320,)),),
        mails=(Mail(320, 51, f"{PLAY}/contacted/weekend-load", ago(0.4)),),
    )


def ravi(*accounts: AccountMaterial, since: datetime = YESTERDAY) -> RepMaterial:
    return RepMaterial(1, "Ravi Menon", "ravi@lumenflow.example", "Europe/Berlin", since, False, accounts)


def tuesday() -> RepMaterial:
    return ravi(vandelay(), umbra(), hooli(), acme(), initech(), globex())
