"""The rules a play must keep beyond the shape of each key. A rule is a named function that refuses, with the line.

Rules run when files are read; a play that a program builds for a test may break them.
"""

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.errors import ContentRefused
from accounts.playbook import AdCreative, Play, StageRule, Step
from accounts.textfiles import Marked, nearest

PROMISES = ("sales_answer", "marketing_first_nurture", "marketing_content", "marketing_handoff", "marketing_list")
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def stage_keys_are_slugs(play: Play, head: Marked) -> None:
    for number, stage in enumerate(play.stages):
        if not re.fullmatch(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", stage.key):
            cure = "use small letters, digits and dashes: it is also a folder's name"
            head.refuse(f"{stage.key!r} cannot be the key of a stage", "stages", number, "key", cure=cure)


def stage_keys_are_unique(play: Play, head: Marked) -> None:
    keys = [stage.key for stage in play.stages]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            head.refuse(f"the stage {key!r} stands here twice", "stages", number, "key", cure="keep one of them")


def moves_lead_to_other_stages(play: Play, head: Marked) -> None:
    keys = [stage.key for stage in play.stages]
    for number, stage in enumerate(play.stages):
        for position, move in enumerate(stage.moves):
            if move not in keys or move == stage.key:
                others = [key for key in keys if key != stage.key]
                what = f"{stage.key!r} cannot move to {move!r}, which is no other stage of this play"
                head.refuse(what, "stages", number, "moves", position, cure=nearest(move, others))


def a_crm_name_belongs_to_one_stage(play: Play, head: Marked) -> None:
    for crm in ("salesforce", "hubspot"):
        owners: dict[str, str] = {}
        for number, stage in enumerate(play.stages):
            for position, name in enumerate(getattr(stage.crm, crm)):
                owner = owners.setdefault(name.casefold(), stage.key)
                if owner != stage.key:
                    what = f"{crm} name {name!r} already belongs to the stage {owner!r}"
                    head.refuse(what, "stages", number, "crm", crm, position, cure="leave it with one stage")


def nurtured_stages_have_a_cadence(play: Play, head: Marked) -> None:
    for number, stage in enumerate(play.stages):
        if stage.nurtured and stage.cadence is None:
            cure = "add cadence: { every: 4d, not_after: 10d }, or nurtured: false"
            head.refuse(f"the nurtured stage {stage.key!r} has no cadence", "stages", number, cure=cure)


def durations_are_longer_than_nothing(play: Play, head: Marked) -> None:
    for number, stage in enumerate(play.stages):
        for name in ("every", "not_after"):
            if stage.cadence and not getattr(stage.cadence, name):
                path = ("stages", number, "cadence", name)
                head.refuse(f"{name} is no time at all", *path, cure="write 4d, 36h or 90m")
    if not play.engagement.half_life:
        head.refuse("half_life is no time at all", "engagement", "half_life", cure="write 14d")


def something_is_nurtured(play: Play, head: Marked) -> None:
    if not any(stage.nurtured for stage in play.stages):
        head.refuse("no stage is nurtured, so nobody would ever get anything", "stages", cure="set nurtured: true")


def the_group_has_a_size(play: Play, head: Marked) -> None:
    if play.group.smallest > play.group.largest:
        head.refuse("smallest is larger than largest", "group", "smallest", cure="for example 4 and 7")


def the_window_opens_before_it_closes(play: Play, head: Marked) -> None:
    if play.window.opens >= play.window.closes:
        head.refuse("the window closes before it opens", "window", "closes", cure='for example "09:00" and "17:00"')
    if not play.window.days:
        head.refuse("the window has no days", "window", "days", cure="for example [mon, tue, wed, thu, fri]")


def the_time_zone_exists(play: Play, head: Marked) -> None:
    try:
        ZoneInfo(play.window.default_timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"{play.window.default_timezone!r} is not a time zone"
        head.refuse(what, "window", "default_timezone", cure="write it as Europe/Berlin")


def the_country_is_a_code(play: Play, head: Marked) -> None:
    country = play.window.default_country
    if country is not None and not re.fullmatch(r"[A-Z]{2}", country):
        head.refuse(f"{country!r} is not a country code", "window", "default_country", cure="two capitals, such as DE")


def the_vendor_is_named(play: Play, head: Marked) -> None:
    for key in ("name", "domain", "postal_address"):
        if not getattr(play.vendor, key).strip():
            head.refuse(
                f"vendor.{key} is empty", "vendor", key, cure="it stands under each e-mail; the law asks for it"
            )
    _https(head, play.vendor.privacy_url, "vendor", "privacy_url")


def promises_take_time(play: Play, head: Marked) -> None:
    for name in PROMISES:
        if not getattr(play.sla, name):
            head.refuse(f"{name} is no time at all", "sla", name, cure="working hours, such as 8h or 16h")


def clocks_run_on_some_days(play: Play, head: Marked) -> None:
    hours = play.sla.hours
    if not hours.days:
        head.refuse("the clocks never run: days is empty", "sla", "hours", "days", cure="[mon, tue, wed, thu, fri]")
    if hours.opens >= hours.closes:
        head.refuse("work ends before it begins", "sla", "hours", "closes", cure='for example "09:00" and "17:00"')


def warnings_come_in_order(play: Play, head: Marked) -> None:
    percents = play.sla.warn_at
    if any(not 0 < percent < 100 for percent in percents) or list(percents) != sorted(set(percents)):
        cure = "percents between 1 and 99, the smaller first: [50, 80]"
        head.refuse(f"cannot warn at {list(percents)}", "sla", "warn_at", cure=cure)


def somebody_answers_for_marketing(play: Play, head: Marked) -> None:
    owner = play.sla.marketing_owner
    if owner is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", owner):
        cure = "who is told when marketing breaks a promise?"
        head.refuse(f"marketing_owner: {owner!r} is not an e-mail address", "sla", "marketing_owner", cure=cure)


def a_lease_ends_after_its_notice(play: Play, head: Marked) -> None:
    if not play.lease.lasts:
        head.refuse("lasts is no time at all", "lease", "lasts", cure="write 21d")
    if play.lease.notice >= play.lease.lasts:
        head.refuse("the notice is as long as the lease", "lease", "notice", cure="for example 3d")


PLAY_RULES: tuple[Callable[[Play, Marked], None], ...] = (
    stage_keys_are_slugs,
    stage_keys_are_unique,
    moves_lead_to_other_stages,
    a_crm_name_belongs_to_one_stage,
    nurtured_stages_have_a_cadence,
    durations_are_longer_than_nothing,
    something_is_nurtured,
    the_group_has_a_size,
    the_window_opens_before_it_closes,
    the_time_zone_exists,
    the_country_is_a_code,
    the_vendor_is_named,
    promises_take_time,
    clocks_run_on_some_days,
    warnings_come_in_order,
    somebody_answers_for_marketing,
    a_lease_ends_after_its_notice,
)


def stage_of_file(play: Play, front: Marked, name: str) -> StageRule:
    """The nurtured stage whose folder the file `name` (relative to the play) stands in."""
    *folders, file = name.split("/")
    nurtured = [stage.key for stage in play.stages if stage.nurtured]
    if not folders or folders[1:] not in ([], ["ads"]):
        cure = "an e-mail is <stage>/<slug>.md, an ad <stage>/ads/<slug>.md"
        raise ContentRefused("stands in no stage's folder", where=front.file, cure=cure)
    stage = play.stage(folders[0])
    if stage is None:
        raise ContentRefused(
            f"{folders[0]!r} is no stage of this play", where=front.file, cure=nearest(folders[0], nurtured)
        )
    if not stage.nurtured:
        cure = f"move it to one of {', '.join(nurtured)}, or set nurtured: true in play.yaml"
        raise ContentRefused(f"the stage {stage.key!r} is not nurtured", where=front.file, cure=cure)
    if not SLUG.fullmatch(file.removesuffix(".md")):
        cure = "small letters, digits and single dashes, such as why-now.md"
        raise ContentRefused(f"{file!r} is not a name for content", where=front.file, cure=cure)
    return stage


def lines_say_something(step: Step, front: Marked) -> None:
    for key in ("subject", "preheader"):
        text = getattr(step, key)
        if not text.strip():
            front.refuse(f"{key} is empty", key, cure="write what the reader finds in the e-mail")
        if "\n" in text.strip():
            front.refuse(f"{key} is longer than a line", key, cure="write it on one line, in quotes")


def somebody_gets_it_once(step: Step, front: Marked) -> None:
    if not step.roles:
        front.refuse("nobody gets this: roles is empty", "roles", cure="for example roles: [champion]")
    for position, role in enumerate(step.roles):
        if role in step.roles[:position]:
            front.refuse(f"the role {role.value!r} stands here twice", "roles", position, cure="keep one of them")


def it_is_reviewed_before_it_expires(step: Step, front: Marked) -> None:
    if step.expires <= step.review_by:
        cure = f"a day after {step.review_by.isoformat()}, or an earlier review_by"
        front.refuse("expires is not after review_by", "expires", cure=cure)


def somebody_answers_for_it(step: Step, front: Marked) -> None:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", step.owner):
        front.refuse(f"owner: {step.owner!r} is not an e-mail address", "owner", cure="who answers for the text?")


def it_may_be_late_by_something(step: Step, front: Marked) -> None:
    if not step.not_after:
        front.refuse("not_after is no time at all", "not_after", cure="write 10d, or leave it to the stage's cadence")


def the_asset_is_a_page(step: Step, front: Marked) -> None:
    _https(front, step.asset, "asset")


STEP_RULES: tuple[Callable[[Step, Marked], None], ...] = (
    lines_say_something,
    somebody_gets_it_once,
    it_is_reviewed_before_it_expires,
    somebody_answers_for_it,
    it_may_be_late_by_something,
    the_asset_is_a_page,
)


def the_landing_is_a_page(creative: AdCreative, front: Marked) -> None:
    _https(front, creative.landing, "landing")


def an_ad_says_something(creative: AdCreative, front: Marked) -> None:
    for key in ("headline", "description", "cta", "image_alt"):
        if not getattr(creative, key).strip():
            front.refuse(f"{key} is empty", key, cure="a platform refuses an ad without it")


def an_ad_has_no_variables(creative: AdCreative, front: Marked) -> None:
    for key in ("headline", "description", "cta", "image_alt", "text"):
        if re.search(r"\{[{%#]", getattr(creative, key)):
            front.refuse(f"{key} has a variable; an ad is the same for everybody", key, cure="write the words out")


CREATIVE_RULES: tuple[Callable[[AdCreative, Marked], None], ...] = (
    the_landing_is_a_page,
    an_ad_says_something,
    an_ad_has_no_variables,
)


def slugs_are_unique(play: Play) -> None:
    """Across stages too: a slug is how people speak of a content, and how `tandem preview` finds it."""
    for contents in (play.steps, play.creatives):
        met: dict[str, str] = {}
        for content in contents:
            slug = content.key.rpartition("/")[2]
            if slug in met:
                cure = "rename the newer one; the older one's name is its identity for ever"
                raise ContentRefused(f"has the same name as {met[slug]}.md", where=f"{content.key}.md", cure=cure)
            met[slug] = content.key


def is_page(url: str) -> bool:
    """Whether `url` is an absolute https address, spelt the way every mail program takes it."""
    return bool(re.fullmatch(r"https://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]+)?(?:[/?#][!-~]*)?", url))


def _https(marked: Marked, url: str, *path: str) -> None:
    if not is_page(url):
        what = f"{path[-1]}: {url!r} is not a page on the web"
        marked.refuse(what, *path, cure="an address that starts with https://")
