"""A Prefect server that answers what it is told to: enough for the questions of the doctor."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


@contextmanager
def fake_prefect(answers: dict[str, Any], host: str = "127.0.0.1") -> Iterator[str]:
    """`answers`: path -> what it says, as a value, as a function of what was asked, or as a text that is sent as it is.
    Gives its API address.

    ``API`` inside an answer becomes that address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answers.get(self.path.removeprefix("/api"))
            if callable(answer):
                answer = answer(json.loads(asked))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).replace("API", url).encode()
            self.send_response(200 if answer is not None else 404)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  the name is the library's

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer((host, 0), Handler)
    url = f"http://{host}:{server.server_port}/api"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
