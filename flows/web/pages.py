"""Pages a recipient sees: templates/pages, rendered with autoescape, sent with headers that allow nothing else."""

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.playbook import Vendor

Header = tuple[bytes, bytes]

#: Nothing from elsewhere, no script at all, forms only to ourselves; tokens in our addresses reach nobody by Referer.
HEADERS: tuple[Header, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
#: Where recipients come by HTTPS, their browsers shall never try without.
HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
#: Unless a route says otherwise.
NO_STORE: Header = (b"cache-control", b"no-store")


class Pages:
    """The pages of one vendor."""

    def __init__(self, templates: Path, vendor: Vendor) -> None:
        folder = templates / "pages"
        self._environment = Environment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=False
        )
        self._vendor = vendor
        self.css = (folder / "pages.css").read_text(encoding="utf-8")
        self.snippet = (folder / "t.js").read_text(encoding="utf-8")

    def show(self, name: str, status: int = 200, **words: Any) -> HTMLResponse:
        """The page `templates/pages/<name>.html`."""
        page = self._environment.get_template(f"{name}.html").render(vendor=self._vendor, **words)
        return HTMLResponse(page, status)


class SafeHeaders:
    """Puts HEADERS on every answer, errors included; `https`: HSTS as well."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._headers = (*HEADERS, HSTS) if https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                keeps = any(name == NO_STORE[0] for name, _ in said)
                message["headers"] = [*said, *self._headers, *([] if keeps else [NO_STORE])]
            await send(message)

        await self._app(scope, receive, send_safely if scope["type"] == "http" else send)
