"""A brief as Microsoft Teams shows it: one Adaptive Card 1.4 inside 28 KB.

Words stand in RichTextBlocks, whose runs are never read as Markdown: a link in a buyer's name stays words. Accounts
that do not fit are left out from the end, with a link to the rest.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from flows.channels.email.http import as_json
from flows.channels.reps import Message, Note
from flows.channels.reps.cards import DONE, Button, Card, Part, cards_of, foot_of

#: Teams takes about 28 KB with everything around the card; the envelope of the workflow is its own.
MOST_OCTETS = 27_000
#: Teams shows so many buttons in a row and hides the others behind three dots.
ROW = 6
TITLE = 60

Element = dict[str, Any]


def message_of(message: Message) -> bytes:
    """What a workflow that posts a card is told, as JSON."""
    cards = [_card(card) for card in cards_of(message)]
    for told in range(len(cards), -1, -1):
        content = as_json(_envelope(_body(message, cards[:told], len(cards) - told), f"Brief: {message.brief.subject}"))
        if len(content) <= MOST_OCTETS or told == 0:
            break
    return content


def message_of_note(note: Note) -> bytes:
    """The same for a letter or a notice."""
    body = [_words([(note.headline, {"size": "Medium", "weight": "Bolder"})])]
    body += [_words([(line, {})], spacing="Small") for line in note.lines]
    if note.links:
        body.append(_actions([Button("page", label, url) for label, url in note.links]))
    return as_json(_envelope(body, note.headline))


def _envelope(body: Sequence[Element], subject: str) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "fallbackText": subject[:500], "msteams": {"width": "Full"}, "body": list(body),
    }  # fmt: skip
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _body(message: Message, cards: Sequence[Element], left_out: int) -> list[Element]:
    brief = message.brief
    body = [
        _words([(f"Brief for {brief.rep_name}", {"size": "Large", "weight": "Bolder"})]),
        _quiet(f"{brief.as_of_text} ({brief.zone}). News since {brief.since_text}."),
    ]
    if brief.note:
        body.append(_words([(brief.note.text, {})]))
    body += cards
    if left_out:
        more = f"{left_out} more {'accounts' if left_out > 1 else 'account'}"
        body += [_quiet(more), _actions([Button("brief", "All of this brief", message.links("brief"))])]
    elif brief.also:
        body += [_quiet(one.text) for one in brief.also]
    return [*body, _actions(foot_of(message), spacing="Large")]


def _card(card: Card) -> Element:
    look = {"color": "Attention"} if card.is_late else {}
    items = [
        _words([(card.title, {"size": "Medium", "weight": "Bolder", "selectAction": _opens(card.url)})]),
        _words([(card.place, look)]),
        _words([(card.headline, {})]),
        *(_words([(DONE + said, {"color": "Good"})]) for said in card.answered),
        *(element for part in card.parts for element in _part(part)),
        *_rows(card.answers),
    ]
    return {"type": "Container", "separator": True, "spacing": "Large", "items": items}


def _part(part: Part) -> Iterator[Element]:
    label = [(part.label, {"weight": "Bolder", "isSubtle": True})] if part.label else []
    first, *rest = part.lines
    if not rest and first.button is None:  # a single sentence stands beside its label
        yield _words([*label, (f"  {first.text}" if label else first.text, {})])
        return
    if label:
        yield _words(label)
    for line in part.lines:
        yield _words([(line.text, {})], spacing="Small")
        if line.button:
            yield _actions([line.button], about=line.text)


def _rows(buttons: Sequence[Button]) -> list[Element]:
    rows = range(0, len(buttons), ROW)
    return [_actions(buttons[start : start + ROW], spacing="Medium") for start in rows]


def _actions(buttons: Sequence[Button], about: str = "", spacing: str = "Small") -> Element:
    """`about`: the line above, for who hears the card."""
    return {
        "type": "ActionSet",
        "spacing": spacing,
        "actions": [
            {
                **_opens(button.url), "title": _cut(button.label),
                "tooltip": f"{button.label}: {about}" if about else button.label,
            }
            for button in buttons
        ],
    }  # fmt: skip


def _opens(url: str) -> Element:
    return {"type": "Action.OpenUrl", "url": url}


def _words(runs: Sequence[tuple[str, dict[str, Any]]], spacing: str = "Default") -> Element:
    inlines = [{"type": "TextRun", "text": text, **look} for text, look in runs]
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": inlines}


def _quiet(text: str) -> Element:
    return _words([(text, {"isSubtle": True, "size": "Small"})])


def _cut(text: str) -> str:
    return text if len(text) <= TITLE else f"{text[: TITLE - 1]}…"
