"""Answers about the lease: the account is theirs, within which limits marketing works meanwhile, and giving it back."""

from collections.abc import Sequence

from accounts.answers import Limits, saying
from accounts.errors import InputRefused, Refused
from accounts.ledger.reps import leases
from accounts.ledger.reps.answering import read_people
from accounts.ledger.reps.leases import Leased
from accounts.ledger.reps.spokesmen import stands_in_for
from accounts.playbook import LeaseRule
from flows.sales.deeds.scene import Done, Scene


def take(scene: Scene) -> Done:
    """The account is theirs; saying so again renews it."""
    before, lease = _standing(scene), _taken(scene)
    is_new = before is None or (before.rep_id, before.ends_at) != (lease.rep_id, lease.ends_at)
    moved = f" Until now it was {before.rep}’s; the limits stay." if before and before.rep_id != lease.rep_id else ""
    sentence = f"{scene.account.name} is yours until {scene.day(lease.ends_at)}; real contact renews it.{moved}"
    return Done(sentence, is_new, detail=_plain(lease), action="take-lease", after=_plain(lease), rows=(lease.id,))


def limit(scene: Scene) -> Done:
    """People, topics, mails a week, ads: they bind every play while the lease stands."""
    asked, before = _checked(scene), _standing(scene)
    if before is not None and not scene.speaks:
        scene.may_lift(f"{scene.account.name} is {before.rep}’s")
        lease = before
    else:
        lease = _taken(scene)
    limits = leases.limit(scene.connection, lease, asked)
    is_new = before is None or before.limits != limits
    sentence = f"Until {scene.day(lease.ends_at)}, for {scene.account.name}: {_said(scene, limits)}."
    detail = _plain(lease) | {
        "people": list(limits.people or ()), "topics": list(limits.topics or ()), "per_week": limits.per_week or None,
        "ads": limits.ads,
    }  # fmt: skip
    return Done(sentence, is_new, detail=detail, action="limit-lease", after=detail, rows=(lease.id,))


def give_back(scene: Scene) -> Done:
    """It ends, and its limits with it."""
    lease = _standing(scene)
    if lease is None:
        return Done(f"Nobody had taken {scene.account.name}.", False)
    scene.may_lift(f"{scene.account.name} is {lease.rep}’s")
    leases.end(scene.connection, lease.id, by=scene.speaker.by, at=scene.now)
    sentence = f"{scene.account.name} is given back; its limits ended with it."
    return Done(sentence, True, detail={"lease": lease.id}, action="give-back-lease", after={"lease": lease.id})


def _standing(scene: Scene) -> Leased | None:
    return leases.read_lease(scene.connection, scene.account.id, scene.now)


def _taken(scene: Scene) -> Leased:
    """In the name of the rep who says so; where a manager does, of the owner."""
    rep, owner = scene.speaker.rep_id, scene.account.owner_id
    if rep != owner and owner not in stands_in_for(scene.connection, rep, scene.now):
        rep = owner
    if not scene.speaks or rep is None:
        cure = "its owner can, their backup, or their manager"
        raise Refused(f"{scene.speaker.name} cannot take {scene.account.name}", cure=cure)
    rule = scene.play.lease if scene.play else LeaseRule()
    return leases.take(scene.connection, scene.account.id, rep, rule, scene.now)


def _checked(scene: Scene) -> Limits:
    """The limits with topics as contents spell them. Raises InputRefused for people of another account."""
    asked, play = scene.said.limits or Limits(), scene.play
    if play is not None and scene.account.play not in (None, play.key):
        raise Refused(f"{scene.account.name} is in the play {scene.account.play}", cure=f"--play {scene.account.play}")
    if asked == Limits():
        raise InputRefused("no limit was named", where="limits", cure="people, topics, mails a week, or ads")
    strangers = set(asked.people or ()) - set(read_people(scene.connection, scene.account.id, list(asked.people or ())))
    if strangers:
        raise InputRefused("nobody of this account has that number", where="people", cure="choose from the group")
    topics = asked.topics
    if topics and play is not None:
        known = {topic.lower(): topic for step in play.steps for topic in step.topics}
        unknown = [topic for topic in topics if topic.lower() not in known]
        if unknown:
            cure = f"one of: {', '.join(sorted(known.values()))}"
            raise InputRefused(f"no mail is about {unknown[0][:40]!r}", where="topics", cure=cure)
        topics = tuple(known[topic.lower()] for topic in topics)
    return Limits(asked.people, topics, asked.per_week, asked.ads)


def _said(scene: Scene, limits: Limits) -> str:
    people = read_people(scene.connection, scene.account.id, list(limits.people or ()))
    parts = [
        f"no mail to {_listed([one.name for one in people.values()])}" if people else "",
        f"nothing about {_listed(limits.topics)}" if limits.topics else "",
        f"at most {saying.counted(limits.per_week, 'mail')} a week" if limits.per_week else "",
        "no ads" if limits.ads is False else "",
    ]
    return ", ".join(filter(None, parts)) or "no limits"


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _plain(lease: Leased) -> dict[str, object]:
    return {"lease": lease.id, "rep": lease.rep_id, "until": lease.ends_at.isoformat()}
