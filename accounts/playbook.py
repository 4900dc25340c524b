"""Plays: what marketers decide, as values. A play is data, read from `templates/plays/<play>/`, never logic.

`play.yaml` becomes a `Play`; the front matter of each content file becomes a `Step`. Unknown keys are refused, so a
misspelt one is found when the file is read and not when a mail is missing. The rules that look across keys and files
stand in `playrules.py`; `playfiles.py` reads the folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from accounts.textfiles import Marked
from accounts.vocabulary import ActivityKind, Channel, PauseClock, Role, SignalKind

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def read_duration(value: object) -> object:
    """``2d``, ``36h``, ``1w`` or ``90m`` as a timedelta; anything else is left for the validator to refuse."""
    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if isinstance(value, str) and value[:-1].isdigit() and value[-1] in units:
        return timedelta(**{units[value[-1]]: int(value[:-1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a duration; write 2d, 36h, 1w or 90m")


Duration = Annotated[timedelta, BeforeValidator(read_duration)]


class _Frozen(BaseModel):
    # A tier written as 1 is the tier "1".
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class CrmStages(_Frozen):
    """The names this stage has in each CRM's opportunity pipeline."""

    salesforce: tuple[str, ...] = ()
    hubspot: tuple[str, ...] = ()


class Cadence(_Frozen):
    """`every`: least time between two touches of one person; `not_after`: how late a step may still go out."""

    every: Duration
    not_after: Duration


class StageRule(_Frozen):
    key: str
    label: str
    nurtured: bool = False
    crm: CrmStages = CrmStages()
    #: Stages an account may move to from here; other moves are refused, recorded and reported.
    moves: tuple[str, ...] = ()
    cadence: Cadence | None = None


class Entry(_Frozen):
    """Which accounts the play is for; an empty tuple means any."""

    tiers: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()


class WantedRole(_Frozen):
    role: Role
    least: int = Field(1, ge=1)


class Group(_Frozen):
    """The buying group we want to see."""

    smallest: int = Field(4, ge=1)
    largest: int = Field(7, ge=1)
    wanted: tuple[WantedRole, ...] = ()


class Caps(_Frozen):
    """Touches in any seven days; `stagger`: least time between two colleagues' touches with the same content."""

    person_per_week: int = Field(2, ge=1)
    account_per_week: int = Field(5, ge=1)
    count_rep_emails: bool = True
    stagger: Duration = timedelta(hours=20)


class Window(_Frozen):
    """When mail may leave, in the recipient's own time."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: time = time(9)
    closes: time = time(17)
    #: Last links of the fallback chain: stakeholder, account country, owner rep, these.
    default_timezone: str = "UTC"
    default_country: str | None = None


class Pauses(_Frozen):
    """How long sales has the word, and what any pause does with the clock of the steps (accounts/pauses.py)."""

    after_reply: Duration = timedelta(days=10)
    after_meeting: Duration = timedelta(days=3)
    clock: PauseClock = PauseClock.HOLD


class LeaseRule(_Frozen):
    """How long an account stays a rep's own without real sales activity, and how long before that ends they hear it."""

    lasts: Duration = timedelta(days=21)
    notice: Duration = timedelta(days=3)


class Engagement(_Frozen):
    """How much a signal says, for whom, and how fast that fades."""

    half_life: Duration = timedelta(days=14)
    weights: dict[SignalKind, float] = Field(default_factory=dict)
    role_weights: dict[Role, float] = Field(default_factory=dict)
    #: Added per engaged person beyond the first, as a share of the account's score.
    breadth_bonus: float = Field(0.15, ge=0)
    #: A person's mass counts as `ceiling * (1 - exp(-mass / ceiling))`: the tenth click says less than the first.
    person_ceiling: float = Field(30.0, gt=0)
    #: Interest rises, or cools, when a week brings so many points more, or less, than a usual one.
    heat_points: float = Field(3.0, gt=0)


class WorkingHours(_Frozen):
    """When the clocks between the teams run: on the rep's own clock for sales, on the play's for marketing."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: time = time(9)
    closes: time = time(17)


class Sla(_Frozen):
    """What sales and marketing promise each other, in working hours: 8h is a day's work, not a third of a day."""

    hours: WorkingHours = WorkingHours()
    #: Sales answers who asked, and calls a hot account.
    sales_answer: Duration = timedelta(hours=8)
    #: Marketing writes first after sales' first contact.
    marketing_first_nurture: Duration = timedelta(hours=16)
    #: Marketing replaces content past its review or last day, while people wait for it.
    marketing_content: Duration = timedelta(hours=40)
    #: Marketing answers a hand-off that came back.
    marketing_handoff: Duration = timedelta(hours=16)
    #: Marketing puts a wrong list right.
    marketing_list: Duration = timedelta(hours=8)
    #: Percent of the time at which the one who owes is warned.
    warn_at: tuple[int, ...] = (50, 80)
    #: Who answers for marketing's promises and is told when one is broken.
    marketing_owner: str | None = None


class Briefs(_Frozen):
    """When reps are briefed who have not said otherwise: on their own clock, on their working days."""

    hour: time = time(7)
    every: Literal["daily", "weekly", "off"] = "daily"


class AdPlatform(_Frozen):
    platform: str
    kinds: tuple[Literal["people", "companies"], ...]
    minimum_size: int = Field(ge=1)


class Ads(_Frozen):
    platforms: tuple[AdPlatform, ...] = ()


class Tracking(_Frozen):
    """What a mail carries besides its words."""

    #: A picture that tells when a mail was opened. Mail programs load it by themselves, so it says little.
    opens: bool = False
    #: A link that no person sees: whoever follows it is a program.
    honeypot: bool = True


class Approvals(_Frozen):
    first_touch: Literal["rep", "none"] = "none"
    #: Tiers the approval is asked for; empty means all of them.
    tiers: tuple[str, ...] = ()
    #: A send plan with more messages than this waits for a person, whatever earlier ones held. None: any number goes.
    most_per_plan: int | None = Field(None, ge=1)


class ContactRule(_Frozen):
    """Which activity of this kind is a real two-way contact. Empty means any; a logged attempt never counts."""

    kind: ActivityKind
    directions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


class Vendor(_Frozen):
    """Who writes: stands under each mail."""

    name: str
    domain: str
    postal_address: str
    privacy_url: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a content was read: the file, the lines of its front matter's keys, the first line of its text."""

    front: Marked = field(compare=False)
    body_line: int = field(compare=False)


class Step(_Frozen):
    """One e-mail of the play: the front matter of its file. `key` is ``<play>/<stage>/<slug>``, for ever."""

    key: str
    stage: str
    subject: str
    preheader: str
    roles: tuple[Role, ...]
    step: int = Field(ge=1)
    after: Duration
    not_after: Duration
    owner: str
    review_by: date
    expires: date
    asset: str
    #: Title of the asset where it is a document: the link leads to a page that offers it, and fetching it counts.
    asset_title: str | None = Field(None, min_length=1, max_length=100)
    #: What a rep can say to start talking about the asset; without it, the preheader serves.
    talking_point: str | None = Field(None, min_length=1, max_length=160)
    topics: tuple[str, ...] = ()
    channel: Channel = Channel.EMAIL
    #: SHA-256 of the file, kept with each touch: what was said, provably.
    digest: str
    #: The text as Markdown with Jinja2 variables.
    body: str = Field("", repr=False)
    #: None for a step that was made by a program and not read from a file.
    source: Source | None = Field(None, repr=False)

    @property
    def slug(self) -> str:
        return self.key.rpartition("/")[2]


class AdCreative(_Frozen):
    """One ad of a stage. The same for everybody, so it has no variables."""

    key: str
    stage: str
    headline: str
    description: str
    text: str
    cta: str
    image_alt: str
    landing: str
    roles: tuple[Role, ...] = ()
    expires: date


class Play(_Frozen):
    """A play with all its content. `version` is a digest over all its files."""

    key: str
    version: str
    title: str
    description: str = ""
    vendor: Vendor
    stages: tuple[StageRule, ...]
    entry: Entry = Entry()
    group: Group = Group()
    caps: Caps = Caps()
    window: Window = Window()
    pauses: Pauses = Pauses()
    lease: LeaseRule = LeaseRule()
    engagement: Engagement = Engagement()
    sla: Sla = Sla()
    briefs: Briefs = Briefs()
    ads: Ads = Ads()
    approvals: Approvals = Approvals()
    tracking: Tracking = Tracking()
    contact: tuple[ContactRule, ...] = ()
    #: Topic of contents -> words by which a rep's note is known to be about it (accounts/heard.py).
    heard: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    #: Facts older than this stop the sending: better no mail than one about last month's account. None: never.
    stale_crm_after: Duration | None = None
    steps: tuple[Step, ...] = ()
    creatives: tuple[AdCreative, ...] = ()

    def stage(self, key: str) -> StageRule | None:
        """The rule of a stage, or None for a stage this play does not know."""
        return next((stage for stage in self.stages if stage.key == key), None)

    @property
    def known_by(self) -> Mapping[str, tuple[str, ...]]:
        """Topic -> the words by which it is known, its own name among them."""
        topics = {topic for step in self.steps for topic in step.topics}
        return {topic: (topic, *self.heard.get(topic, ())) for topic in sorted(topics)}

    def step(self, key: str) -> Step | None:
        """The content with this key, or None when the play has it no longer."""
        return next((step for step in self.steps if step.key == key), None)
