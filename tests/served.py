"""Some of the product's deployments, served by a process of their own as `tandem up` serves them all."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flows.operating.deployments import deployments_file, read_deployments
from flows.operating.keeping import Kept, kept
from flows.operating.prefect_api import PrefectApi
from flows.operating.serving import ASK_SECONDS, are_polled

#: What a run that is spread over workers starts.
SHARES = ("decide-span", "send-plans")
#: What `served` reads: prefect.yaml with these deployments only.
FILE = "served.yaml"
READY_SECONDS = 60.0


@contextmanager
def served(
    names: Collection[str], url: str, folder: Path, environment: Mapping[str, str], entrypoint: str | None = None
) -> Iterator[Kept]:
    """Until the block ends somebody asks the server at `url` for runs of these deployments.

    entrypoint: what they run instead of their own flow.
    """
    file = folder / FILE
    file.write_text(_only(names, entrypoint), encoding="utf-8")
    program = ["flows.operating.serving:serve_all", str(file)]
    began = datetime.now(UTC)
    with kept("Served flows", program, env=environment, log=folder / "served.log") as one:
        wait_until_served(one, url, file, began)
        yield one


def wait_until_served(one: Kept, url: str, file: Path, since: datetime) -> None:
    """Raises TandemError with its last words."""
    api, names = PrefectApi(url), [entry.name for entry in read_deployments(file)]
    one.child.wait_until(lambda: are_polled(api, names, since), READY_SECONDS, ASK_SECONDS)


def _only(names: Collection[str], entrypoint: str | None) -> str:
    """prefect.yaml with these deployments and no schedule."""
    head, *entries = deployments_file().read_text(encoding="utf-8").split("  - name: ")
    chosen = [entry for entry in entries if entry.split(maxsplit=1)[0] in names]
    text = "  - name: ".join([head, *chosen])
    lines = [line for line in text.splitlines() if "cron:" not in line and line.strip() != "schedules:"]
    if entrypoint is not None:
        lines = [f"    entrypoint: {entrypoint}" if line.strip().startswith("entrypoint:") else line for line in lines]
    return "\n".join(lines) + "\n"
