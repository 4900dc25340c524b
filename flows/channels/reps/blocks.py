"""A brief as Slack shows it: Block Kit inside its limits.

50 blocks a message, 3,000 characters a section, 150 a header, 25 elements a row, 75 characters on a button, 2,000 in
its value, 3,000 in its address. Over all blocks some 12,000 characters "with a buffer for containers" are taken, which
no page says (slackapi/bolt-js, issues 2509 and 2867): we stay well below. What does not fit is left out from the end,
with a link to the rest.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from flows.channels.reps import Message, Note
from flows.channels.reps.cards import DONE, Button, Card, Part, cards_of, foot_of
from flows.webhooks.slack import AT_ONCE

MOST_BLOCKS, MOST_TEXT = 50, 40_000
#: Characters of all words, and what a block or button costs besides.
MOST_IN_ALL, CONTAINER = 10_000, 40
SECTION, HEADER, LABEL, CONFIRM, VALUE, ADDRESS, ROW = 3_000, 150, 75, 300, 2_000, 3_000, 25

Block = dict[str, Any]


def blocks_of(message: Message, *, can_click: bool) -> list[Block]:
    """The message; can_click: buttons answer where they stand, otherwise they are links to the rep's pages."""
    brief = message.brief
    head = [
        _header(f"Brief for {brief.rep_name}"),
        _context(f"{brief.as_of_text} ({brief.zone}). News since {brief.since_text}."),
    ]
    if brief.note:
        head.append(_section(_plain(brief.note.text)))
    cards = [_card(card, number, can_click) for number, card in enumerate(cards_of(message))]
    also = [_section("\n".join(_plain(one.text) for one in brief.also))] if brief.also else []
    foot = list(_rows(foot_of(message), "foot", can_click=False))
    return _fitting(head, cards, also, foot, message.links("brief"))


def note_blocks(note: Note) -> list[Block]:
    """A letter or a notice: its sentences, and its links as buttons."""
    said = "\n".join(_plain(line) for line in note.lines)
    faces = [
        {"type": "button", "action_id": f"link-{number}", "text": _words(label, LABEL), "url": url[:ADDRESS]}
        for number, (label, url) in enumerate(note.links)
    ]
    buttons = [{"type": "actions", "block_id": "links", "elements": faces}] if faces else []
    return [_section(f"*{_plain(note.headline)}*\n{said}"), *buttons]


def text_of(message: Message) -> str:
    """What a notification and a screen reader get, inside 40,000 characters."""
    first = message.brief.accounts[0]
    return _cut(_plain(f"Brief: {message.brief.subject}. {first.headline.text}"), MOST_TEXT)


def _fitting(
    head: list[Block], cards: list[list[Block]], also: list[Block], foot: list[Block], rest: str
) -> list[Block]:
    """As many accounts as there is room for, from the first on."""
    told = list(cards)
    while True:
        left_out = len(cards) - len(told)
        ending = (
            [_section(f"{left_out} more {'accounts' if left_out > 1 else 'account'}: <{rest}|all of this brief>")]
            if left_out
            else also
        )
        blocks = [*head, *(block for card in told for block in card), *ending, *foot]
        if not told or (len(blocks) <= MOST_BLOCKS and _weight(blocks) <= MOST_IN_ALL):
            return blocks
        told.pop()


def _weight(value: Any) -> int:
    """As Slack seems to count: words, and something for each thing that holds them."""
    if isinstance(value, list):
        return sum(map(_weight, value))
    if not isinstance(value, dict):
        return 0
    text = value.get("text")
    own = len(text) if isinstance(text, str) else CONTAINER
    return own + sum(map(_weight, value.values()))


def _card(card: Card, number: int, can_click: bool) -> list[Block]:
    late = ":red_circle: " if card.is_late else ""
    answered = "".join(f"\n{_plain(DONE + said)}" for said in card.answered)
    title = f"{late}*{_plain(card.title)}*\n{_plain(card.place)}\n{_plain(card.headline)}{answered}"
    answers = [button for button in card.answers if button.kind == "other"] if card.answered else card.answers
    return [
        {"type": "divider"},
        *_with_page(list(_parts(title, card.parts, number, can_click)), card, number),
        *_rows(answers, f"answers-{number}", can_click),
    ]


def _parts(title: str, parts: Sequence[Part], number: int, can_click: bool) -> Iterator[Block]:
    """A line with a button is a section of its own; what stands between shares one, since blocks are few."""
    said = title
    for place, part in enumerate(parts):
        said += f"\n\n*{_plain(part.label)}*" if part.label else "\n"
        for row, line in enumerate(part.lines):
            if line.button is None:
                said += f"{_gap(part)}{_plain(line.text)}"
                continue
            if said:
                yield _section(said)
            name = f"part-{number}-{place}-{row}"
            button = _button(line.button, name, can_click, about=line.text)
            yield {**_section(_plain(line.text)), "accessory": button}
            said = ""
    if said:
        yield _section(said.strip())


def _with_page(sections: list[Block], card: Card, number: int) -> list[Block]:
    """The way to the account's page, beside its name."""
    page = _button(Button("page", "Open", card.url), f"page-{number}", can_click=False, about=card.title)
    return [{**sections[0], "accessory": page}, *sections[1:]]


def _gap(part: Part) -> str:
    """A single sentence stands beside its label."""
    return "  " if part.label and len(part.lines) == 1 else "\n"


def _rows(buttons: Sequence[Button], name: str, can_click: bool) -> Iterator[Block]:
    for start in range(0, len(buttons), ROW):
        elements = [
            _button(button, f"{name}-{start + place}", can_click)
            for place, button in enumerate(buttons[start : start + ROW])
        ]
        yield {"type": "actions", "block_id": f"{name}-{start}", "elements": elements}


def _button(button: Button, name: str, can_click: bool, about: str = "") -> Block:
    """`about`: the line it stands beside, for who hears the page and for the question before it acts."""
    face: Block = {"type": "button", "action_id": name, "text": _words(button.label, LABEL)}
    if about:
        face["accessibility_label"] = _cut(f"{button.label}: {about}", LABEL)
    if can_click and button.kind in AT_ONCE and len(button.token) <= VALUE:
        return {**face, "value": button.token, "confirm": _confirm(button, about)}
    return {**face, "url": button.url[:ADDRESS]}


def _confirm(button: Button, about: str) -> Block:
    text = f"{about or button.label}. {AT_ONCE[button.kind]}"
    return {
        "title": _words("Are you sure?", 100), "text": _words(text, CONFIRM), "confirm": _words("Yes", 30),
        "deny": _words("No", 30),
    }  # fmt: skip


def _words(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, most)}


def _header(text: str) -> Block:
    return {"type": "header", "text": _words(text, HEADER)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(_plain(text), SECTION), "verbatim": True}]}


def _section(text: str) -> Block:
    """Verbatim: what looks like an address, a channel or somebody's name in a buyer's words stays words."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, SECTION), "verbatim": True}}


def _plain(text: str) -> str:
    """The three signs that mean something to Slack (its page "Formatting text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
