"""What a flow shows in the Prefect UI: its run's name, its artifacts, its events. Masked addresses at the most.

Outside a flow run nothing happens, so the same functions serve a plain call.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.context import FlowRunContext
from prefect.events import Event, RelatedResource, Resource

#: Rows a table artifact shows; the rest is in `tandem plan` and `tandem touches`.
MOST_ROWS = 200


def rename_run(name: str) -> None:
    """Give the current flow run a name that says for whom and how many: ``nurture new-business · 12 sent``."""
    run = _this_run()
    if run is None:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, name=name)


def publish(key: str, markdown: str, description: str) -> None:
    """A page of Markdown under a key that stays the same, so that the key's page is its history."""
    if FlowRunContext.get() is not None:
        create_markdown_artifact(markdown=markdown, key=artifact_key(key), description=description)


def publish_table(key: str, rows: Iterable[Mapping[str, Any]], description: str) -> None:
    """A table with search and paging, its first 200 rows."""
    shown = [dict(row) for _, row in zip(range(MOST_ROWS), rows, strict=False)]
    if FlowRunContext.get() is not None and shown:
        create_table_artifact(table=shown, key=artifact_key(key), description=description)


def announce(event: str, subject: str, name: str, **payload: Any) -> None:
    """Hand in ``tandem.…`` for automations; `subject` is the resource, such as ``tandem.account.acme``.

    For what the next run says again as long as it is so; what is told once goes through `flows.announcing`.
    """
    hand_in([Event(event=event, resource=resource_of(subject, name), payload=payload)])


def in_a_run() -> bool:
    """Whether this is a run on a server; a plain call has none to tell."""
    return _this_run() is not None


def _this_run() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None


def hand_in(events: Iterable[Event]) -> None:
    """The server has them when this comes back; outside a flow run nothing happens.

    Raises what the server answers when it does not take them.
    """
    run = _this_run()
    if run is None:
        return
    related = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.role": "flow-run"}
    told = [event.model_copy(update={"related": [RelatedResource(related)]}) for event in events]
    if told:
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=[one.model_dump(mode="json") for one in told])


def taken_by_the_server(ids: Iterable[UUID]) -> set[UUID]:
    """Those of these events (at most 50) that the server has written down. It forgets ids it does not store."""
    asked = [str(id) for id in ids]
    with get_client(sync_client=True) as client:
        answer = client.request("POST", "/events/filter", json={"filter": {"id": {"id": asked}}, "limit": len(asked)})
    return {UUID(one["id"]) for one in answer.json()["events"]}


def resource_of(subject: str, name: str) -> Resource:
    return Resource({"prefect.resource.id": subject, "prefect.resource.name": name})


def artifact_key(words: str) -> str:
    """Prefect allows lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
