"""An e-mail as somebody would get it now: the same path as sending, up to the bytes."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from accounts.errors import NotFound, Refused
from accounts.ledger.engine import reading
from accounts.ledger.sending.recipients import NO_TOUCH, Recipient, read_readers
from accounts.playbook import Play, Step
from accounts.playfiles import load_play
from accounts.textfiles import nearest
from flows.content.mailing import Mail, compose_touch, open_mailroom, read_touch
from flows.content.render import Message
from flows.content.variables import CONTRACT
from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail and where it comes from. `planned`: the ledger holds a touch for it, with the same text."""

    content: str
    account: str
    planned: bool
    #: Where its links lead behind the tracking.
    links: tuple[str, ...]
    message: Message
    mail: Mail


def preview(
    settings: Settings,
    content: str,
    now: datetime,
    *,
    engine: Engine | None = None,
    email: str | None = None,
    account: str | None = None,
) -> Preview:
    """`content` (key, or the end of one) for a stakeholder, or for the person of the documentation.

    Raises NotFound for a content or person nobody knows; ContentRefused for a mistake in a file.
    """
    play, step = find_content(settings, content)
    recipient = _reader(engine, email, step, account) if engine and email else sample_recipient(step)
    planned = recipient.content_digest == step.digest
    if not planned:  # what was certified, or sent, was an earlier text: show the current one
        recipient = replace(recipient, content_digest=None)
    room = open_mailroom(settings, play, only=step.key)
    message, mail = read_touch(room, recipient, now), compose_touch(room, recipient, now)
    return Preview(step.key, recipient.account_key, planned, room.compiled.links(step.key), message, mail)


def find_content(settings: Settings, name: str) -> tuple[Play, Step]:
    """The one content whose key is `name` or ends with it, over all plays. Raises NotFound; Refused for several."""
    folders = sorted((settings.templates / "plays").glob("*/play.yaml"))
    plays = [load_play(path.parent) for path in folders]
    wanted = name.removesuffix(".md").strip("/")
    found = [
        (play, step) for play in plays for step in play.steps if step.key == wanted or step.key.endswith(f"/{wanted}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(step.key for _, step in found)
        raise Refused(f"{name!r} is the end of several contents", cure=f"write one of {keys}")
    slugs = {step.slug: step.key for play in plays for step in play.steps}
    raise NotFound(f"there is no content {name!r}", where="templates/plays", cure=_closest(wanted, slugs))


def only_play(settings: Settings, key: str | None) -> Play:
    """The play with this key, or the only one there is. Raises NotFound; Refused when one must be chosen."""
    folder = settings.templates / "plays"
    if key is not None:
        return load_play(folder / key)
    keys = sorted(path.parent.name for path in folder.glob("*/play.yaml"))
    if len(keys) > 1:
        raise Refused("there are several plays", cure=f"choose one with --play: {', '.join(keys)}")
    return load_play(folder / (keys[0] if keys else "new-business"))


def _closest(wanted: str, slugs: dict[str, str]) -> str:
    cure = nearest(wanted.rpartition("/")[2], slugs)
    return cure.partition("? ")[0] + "?" if "? " in cure else "see `tandem content`"


def _reader(engine: Engine, email: str, step: Step, account: str | None) -> Recipient:
    with reading(engine) as connection:
        readers = read_readers(connection, email, step.key, account=account)
    if not readers:
        there = f" in the account {account!r}" if account else ""
        raise NotFound(f"nobody has the address {email!r}{there}", cure="check it, or import the person first")
    return readers[0]


def sample_recipient(step: Step) -> Recipient:
    """The person of the documentation, with every fact known."""
    stakeholder, account, rep = CONTRACT["stakeholder"], CONTRACT["account"], CONTRACT["rep"]
    return Recipient(
        touch_id=NO_TOUCH, stakeholder_id=0, account_id=0, content=step.key, content_digest=None,
        address="maximiliane@acme.example", first_name=stakeholder["first_name"], last_name=stakeholder["last_name"],
        title=stakeholder["title"], role=step.roles[0], account_key="acme", account_name=account["name"],
        industry=account["industry"], territory=account["territory"], rep_name=rep["name"],
        rep_email="ravi@lumenflow.example",
    )  # fmt: skip
