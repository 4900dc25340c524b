"""Where does an account stand? From its opportunities and the first sales contact to one stage of the play.

The facts ask for a stage; the play's table of moves says whether the account may go there. A move that it may not make
is a value with a reason, to be recorded and reported, never swallowed. Nothing leaves `target` before sales has made
contact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from accounts.playbook import Entry, Play
from accounts.spelling import squeeze

#: Stages that mean something to this file; a play names all others as it likes.
TARGET, CONTACTED, WON, LOST, RECYCLED = "target", "contacted", "won", "lost", "recycled"


class Deal(NamedTuple):
    """An opportunity, as far as it matters for the stage. Times are aware UTC."""

    id: int
    name: str | None
    stage: str
    is_open: bool
    is_won: bool
    created_at: datetime | None = None
    close_date: date | None = None
    closed_at: datetime | None = None


class Standing(NamedTuple):
    """Where an account stands now, and when sales talked to it."""

    stage: str
    entered_at: datetime | None
    first_contacted_at: datetime | None
    last_contacted_at: datetime | None = None
    #: The contact in words, for the cause of a move.
    contact: str = "sales contact"


@dataclass(frozen=True, slots=True)
class Demand:
    """The stage the facts ask for, and on what they rest."""

    stage: str
    cause: str


@dataclass(frozen=True, slots=True)
class Move:
    """An account's way from one stage to another; `refused` says why it may not go."""

    from_stage: str
    to_stage: str
    cause: str
    refused: str | None = None


class StageNames:
    """The CRM names of a play's stages: Salesforce, HubSpot, and the play's own; case and blanks make no difference."""

    def __init__(self, play: Play) -> None:
        ours = {squeeze(name): stage.key for stage in play.stages for name in (stage.label, stage.key)}
        crm = {
            squeeze(name): stage.key for stage in play.stages for name in (*stage.crm.salesforce, *stage.crm.hubspot)
        }
        self._known = ours | crm
        self._order = {stage.key: number for number, stage in enumerate(play.stages)}

    def find(self, name: str) -> str | None:
        """The stage with this CRM name; None if the play does not know the name."""
        return self._known.get(squeeze(name))

    def most_advanced(self, staged: Iterable[tuple[Deal, str]]) -> tuple[Deal, str] | None:
        """Of (deal, stage) pairs the one furthest along, the latest row of equals; None of none."""
        return max(staged, key=lambda pair: (self._order.get(pair[1], -1), pair[0].id), default=None)

    def find_of(self, deal: Deal) -> str | None:
        """The stage of an opportunity. Its flags outrank its name: a won deal is won, however the column is called."""
        named = self.find(deal.stage)
        if deal.is_won or named == WON:
            return WON
        return named if deal.is_open else LOST


def demand(standing: Standing, deals: Sequence[Deal], play: Play, names: StageNames) -> Demand | None:
    """What the facts ask for; None when they say nothing against the present stage.

    No contact: `target`, whatever the opportunities say. Open opportunities: the most advanced one. None open: won if
    one was won, else lost. No opportunity: `contacted`.
    """
    if standing.first_contacted_at is None:
        return _wait_for_contact(standing, deals, names)
    staged = [(deal, stage) for deal in deals if (stage := names.find_of(deal))]
    news = [(deal, stage) for deal, stage in staged if not _is_old_news(deal, stage, standing)]
    won = _latest(deal for deal, stage in news if stage == WON)
    if won and _ends_the_play(won, standing, [deal for deal, stage in staged if stage not in (WON, LOST)]):
        return Demand(WON, _describe(won, "is won"))
    ahead = names.most_advanced((deal, stage) for deal, stage in news if stage not in (WON, LOST))
    if ahead:
        return Demand(ahead[1], _describe(ahead[0]))
    if won:
        return Demand(WON, _describe(won, "is won"))
    lost = _latest(deal for deal, stage in news if stage == LOST)
    if lost:
        return Demand(LOST, _describe(lost, "is lost"))
    return _without_deal(standing, play, names)


def find_move(standing: Standing, deals: Sequence[Deal], play: Play, names: StageNames) -> Move | None:
    """The move the facts ask for, allowed or refused; None if the account is where it belongs."""
    wish = demand(standing, deals, play, names)
    if wish is None or wish.stage == standing.stage:
        return None
    return Move(standing.stage, wish.stage, wish.cause, why_refused(standing, wish.stage, play))


def why_refused(standing: Standing, to_stage: str, play: Play) -> str | None:
    """Why an account may not go there; None if it may."""
    if to_stage == TARGET and standing.first_contacted_at is None:
        return None  # nobody is nurtured without contact: the way back needs nobody's leave
    if standing.first_contacted_at is None:
        return "no sales contact on record yet"
    if play.stage(to_stage) is None:
        return f"the play {play.key} has no stage {to_stage}"
    rule = play.stage(standing.stage)
    if rule is None or to_stage in rule.moves:
        return None  # a stage the play does not know is left by any door
    return f"the play {play.key} allows no move from {standing.stage} to {to_stage}"


def may_enter(entry: Entry, tier: str | None, industry: str | None, territory: str | None) -> bool:
    """Whether the play is for accounts like this one. An empty wish means any; case and blanks make no difference."""
    asked = ((entry.tiers, tier), (entry.industries, industry), (entry.territories, territory))
    return all(not wanted or squeeze(value) in map(squeeze, wanted) for wanted, value in asked)


def _wait_for_contact(standing: Standing, deals: Sequence[Deal], names: StageNames) -> Demand | None:
    """Back to target if the account is elsewhere; from target, the wish of an open opportunity, to be refused."""
    if standing.stage != TARGET:
        return Demand(TARGET, "no sales contact on record")
    staged = ((deal, names.find_of(deal)) for deal in deals)
    ahead = names.most_advanced((deal, stage) for deal, stage in staged if stage and stage not in (WON, LOST))
    return Demand(ahead[1], _describe(ahead[0])) if ahead else None


def _without_deal(standing: Standing, play: Play, names: StageNames) -> Demand | None:
    """Contact and no deal that says more: `contacted`. An account that stands further along for other reasons stays."""
    if play.stage(standing.stage) is None:
        return Demand(names.find(standing.stage) or CONTACTED, f"its stage was called “{standing.stage}”")
    if standing.stage == TARGET or _talked_since(standing):
        return Demand(CONTACTED, standing.contact)
    return None


def _talked_since(standing: Standing) -> bool:
    """A recycled account comes back when sales talks to it again."""
    entered, talked = standing.entered_at, standing.last_contacted_at
    return bool(standing.stage == RECYCLED and entered and talked and talked > entered)


def _is_old_news(deal: Deal, stage: str, standing: Standing) -> bool:
    """A recycled account waits for something new: what had happened by then is why it waits."""
    if standing.stage != RECYCLED or standing.entered_at is None:
        return False
    at = deal.created_at if stage not in (WON, LOST) else _closed(deal)
    return at is None or at <= standing.entered_at


def _ends_the_play(won: Deal, standing: Standing, still_open: Iterable[Deal]) -> bool:
    """Whether a win outweighs what is still open: it is the deal the account was worked for, and nothing newer began.

    Older wins do not: a customer of last year may well be in a new cycle.
    """
    closed = _closed(won)
    if closed is None or any(deal.created_at and deal.created_at > closed for deal in still_open):
        return False
    if standing.stage == WON:
        return True
    return standing.stage != TARGET and standing.entered_at is not None and closed.date() >= standing.entered_at.date()


def _latest(deals: Iterable[Deal]) -> Deal | None:
    return max(deals, key=lambda deal: (_closed(deal) or _EVER, deal.id), default=None)


_EVER = datetime.min.replace(tzinfo=UTC)


def _closed(deal: Deal) -> datetime | None:
    if deal.closed_at or deal.close_date is None:
        return deal.closed_at
    return datetime.combine(deal.close_date, time(), UTC)


def _describe(deal: Deal, ended: str | None = None) -> str:
    """An open deal by its stage; one that has ended by how, since its stage may say something else."""
    named = f"opportunity “{deal.name[:80]}”" if deal.name else f"opportunity {deal.id}"
    stage = f"“{deal.stage[:80]}”"
    return f"{named} {ended} ({stage})" if ended else f"{named} is in {stage}"
