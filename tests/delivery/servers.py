"""Slack and a Teams workflow on loopback, from their public pages: "chat.postMessage", "chat.update", "auth.test",
"Reference: blocks", "Rate limits"; "Post a workflow when a webhook request is received", "Adaptive Cards schema 1.4".
"""

import json
from typing import Any, ClassVar

from tests.channels.servers import Api, Asked, Said, faults, strict

TOKEN = "xoxb-token-of-the-tests"
SIGNING_SECRET = "signing-secret-of-the-tests"
#: The signature in a workflow's address.
SIG = "sig-of-the-tests"
WORKFLOW = f"/workflows/0f3c/triggers/manual/paths/invoke?api-version=2016-06-01&sig={SIG}"
TEXT = {"type": "string", "minLength": 1}


def text(kind: str, most: int) -> dict[str, Any]:
    words = {"type": {"const": kind}, "text": {**TEXT, "maxLength": most}, "verbatim": {"type": "boolean"}}
    return strict(words, "type", "text")


PLAIN = "plain_text"
CONFIRM = strict(
    {"title": text(PLAIN, 100), "text": text(PLAIN, 300), "confirm": text(PLAIN, 30), "deny": text(PLAIN, 30)},
    "title", "text", "confirm", "deny",
)  # fmt: skip
BUTTON = strict(
    {
        "type": {"const": "button"}, "text": text(PLAIN, 75), "action_id": {**TEXT, "maxLength": 255},
        "url": {"type": "string", "maxLength": 3000, "pattern": "^https?://"},
        "value": {"type": "string", "maxLength": 2000}, "confirm": CONFIRM,
        "accessibility_label": {**TEXT, "maxLength": 75},
    },
    "type", "text",
)  # fmt: skip
BLOCK = {
    "oneOf": [
        strict({"type": {"const": "header"}, "text": text(PLAIN, 150)}, "type", "text"),
        strict({"type": {"const": "divider"}}, "type"),
        strict({"type": {"const": "section"}, "text": text("mrkdwn", 3000), "accessory": BUTTON}, "type", "text"),
        strict(
            {
                "type": {"const": "context"},
                "elements": {"type": "array", "items": text("mrkdwn", 3000), "maxItems": 10},
            },
            "type", "elements",
        ),
        strict(
            {
                "type": {"const": "actions"}, "block_id": {**TEXT, "maxLength": 255},
                "elements": {"type": "array", "items": BUTTON, "minItems": 1, "maxItems": 25},
            },
            "type", "elements",
        ),
    ]
}  # fmt: skip
MESSAGE = {
    "channel": TEXT, "text": {**TEXT, "maxLength": 40_000}, "unfurl_links": {"type": "boolean"},
    "unfurl_media": {"type": "boolean"}, "blocks": {"type": "array", "items": BLOCK, "maxItems": 50},
}  # fmt: skip
POST = strict(MESSAGE, "channel", "text")
UPDATE = strict({**MESSAGE, "ts": {"type": "string", "pattern": r"^\d+\.\d{6}$"}}, "channel", "ts", "text")


def no(word: str) -> Said:
    return Said(200, {"ok": False, "error": word})


def buttons_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those in rows, and those beside a section."""
    rows = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    return [*rows, *(block["accessory"] for block in blocks if "accessory" in block)]


class SlackApi(Api):
    errors: ClassVar = {
        "revoked": no("token_revoked"),
        "no such channel": no("channel_not_found"),
        "too long": no("msg_blocks_too_long"),
        "limited": Said(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}),
        "limited for long": Said(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7200"}),
        "internal": no("internal_error"),
        "away": Said(503, b"Service Unavailable"),
    }

    def __init__(self) -> None:
        super().__init__()
        #: What stands in a direct message: (channel, ts) -> message.
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        #: What was told to a person after a click.
        self.whispers: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Said:
        if asked.path.startswith("/actions/"):
            self.whispers.append(json.loads(asked.body))
            return Said(200, b"ok")
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.say_no("token", no("invalid_auth"))
        if asked.headers.get("content-type") != "application/json; charset=utf-8":
            return self.say_no("content type", no("invalid_post_type"))
        said = json.loads(asked.body)
        if asked.path == "/api/auth.test":
            return Said(200, {"ok": True, "user": "tandem", "team": "Lumenflow"})
        if asked.path == "/api/chat.postMessage":
            return self._post(said)
        if asked.path == "/api/chat.update":
            return self._update(said)
        return self.say_no(asked.path, no("unknown_method"))

    def _post(self, said: dict[str, Any]) -> Said:
        if wrong := self._wrong(POST, said):
            return wrong
        at = f"D{said['channel'][1:]}", f"1764000000.{len(self.messages):06}"
        self.messages[at] = said
        return Said(200, {"ok": True, "channel": at[0], "ts": at[1], "message": said})

    def _update(self, said: dict[str, Any]) -> Said:
        if wrong := self._wrong(UPDATE, said):
            return wrong
        at = said["channel"], said["ts"]
        if at not in self.messages:
            return self.say_no("update of nothing", no("message_not_found"))
        self.messages[at] = said
        return Said(200, {"ok": True, "channel": at[0], "ts": at[1]})

    def _wrong(self, schema: dict[str, Any], said: dict[str, Any]) -> Said | None:
        wrong = faults(schema, said)
        ids = [button["action_id"] for button in buttons_of(said.get("blocks", []))]
        if wrong or len(ids) != len(set(ids)):
            return self.say_no(wrong or "the same action_id twice", no("invalid_blocks"))
        return None


RUN = strict(
    {
        "type": {"const": "TextRun"}, "text": TEXT, "weight": {"enum": ["Default", "Lighter", "Bolder"]},
        "size": {"enum": ["Small", "Default", "Medium", "Large", "ExtraLarge"]}, "isSubtle": {"type": "boolean"},
        "color": {"enum": ["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"]},
        "selectAction": strict(
            {"type": {"const": "Action.OpenUrl"}, "url": {"type": "string", "pattern": "^https?://"}}, "type", "url"
        ),
    },
    "type", "text",
)  # fmt: skip
ACTION = strict(
    {
        "type": {"const": "Action.OpenUrl"}, "title": {**TEXT, "maxLength": 60}, "tooltip": TEXT,
        "url": {"type": "string", "pattern": "^https?://"},
    },
    "type", "title", "url",
)  # fmt: skip
ELEMENT: dict[str, Any] = {
    "oneOf": [
        strict(
            {
                "type": {"const": "RichTextBlock"}, "inlines": {"type": "array", "items": RUN},
                "spacing": {"enum": ["Default", "None", "Small", "Medium", "Large"]},
            },
            "type", "inlines",
        ),
        strict(
            {
                "type": {"const": "ActionSet"}, "actions": {"type": "array", "items": ACTION, "maxItems": 6},
                "spacing": TEXT,
            },
            "type", "actions",
        ),
        strict(
            {
                "type": {"const": "Container"}, "separator": {"type": "boolean"}, "spacing": TEXT,
                "items": {"type": "array", "items": {"$ref": "#/$defs/element"}},
            },
            "type", "items",
        ),
    ]
}  # fmt: skip
CARD = strict(
    {
        "$schema": TEXT, "type": {"const": "AdaptiveCard"}, "version": {"const": "1.4"}, "fallbackText": TEXT,
        "msteams": {"type": "object"}, "body": {"type": "array", "items": {"$ref": "#/$defs/element"}},
    },
    "type", "version", "body",
)  # fmt: skip
ATTACHMENT = strict(
    {
        "contentType": {"const": "application/vnd.microsoft.card.adaptive"}, "contentUrl": {"type": "null"},
        "content": CARD,
    },
    "contentType", "content",
)  # fmt: skip
WEBHOOK = {
    **strict(
        {"type": {"const": "message"}, "attachments": {"type": "array", "items": ATTACHMENT}}, "type", "attachments"
    ),
    "$defs": {"element": ELEMENT},
}  # fmt: skip
MOST_OCTETS = 28 * 1024


class TeamsWorkflow(Api):
    errors: ClassVar = {
        "wrong signature": Said(401, {"error": {"code": "DirectApiAuthorizationRequired", "message": f"… sig={SIG}"}}),
        "switched off": Said(400, {"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "…"}}),
        "gone": Said(404, {"error": {"code": "WorkflowNotFound", "message": "…"}}),
        "too large": Said(413, {"error": {"code": "RequestEntityTooLarge", "message": "…"}}),
        "throttled": Said(429, {"error": {"code": "WorkflowRunsThrottled", "message": "…"}}, {"Retry-After": "20"}),
        "gateway": Said(504, {"error": {"code": "GatewayTimeout", "message": "…"}}),
    }

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"{self.url}{WORKFLOW}"

    def answer(self, asked: Asked) -> Said:
        if asked.path != WORKFLOW:
            return self.say_no("address", self.errors["wrong signature"])
        if len(asked.body) > MOST_OCTETS:
            return self.say_no("too large", self.errors["too large"])
        said = json.loads(asked.body)
        if wrong := faults(WEBHOOK, said):
            return self.say_no(wrong, Said(400, {"error": {"code": "TriggerInputSchemaMismatch", "message": "…"}}))
        self.cards.append(said["attachments"][0]["content"])
        return Said(202)
