"""The text files: what marketing says, and when the flows run."""

from importlib.util import find_spec
from zoneinfo import available_timezones

from accounts.errors import TandemError
from flows.doctor.finding import Finding, Patient, refused


def templates(patient: Patient) -> Finding:
    """Whether every play loads and every content of it compiles."""
    from accounts.playfiles import load_play
    from flows.content.render import compile_play

    plays = sorted(patient.settings.templates.glob("plays/*/play.yaml"))
    if not plays:
        says = f"no play in {patient.settings.templates / 'plays'}"
        return Finding("templates", "fail", says, "set templates (TANDEM_TEMPLATES) to the folder that holds plays")
    count = 0
    try:
        for path in plays:
            play = load_play(path.parent)
            compile_play(play, patient.settings.templates)
            count += len(play.steps)
    except TandemError as error:
        return refused("templates", error)
    return Finding("templates", "ok", f"{len(plays)} play{'s'[: len(plays) > 1]}, {count} e-mails")


def deployments(patient: Patient) -> Finding:
    """Whether prefect.yaml names flows that exist, at times that exist."""
    from flows.operating.deployments import deployments_file, read_deployments

    path = deployments_file()
    try:
        entries = read_deployments(path)
    except TandemError as error:
        return refused("deployments", error)
    missing = [entry.entrypoint for entry in entries if find_spec(entry.entrypoint.partition(":")[0]) is None]
    zones = {schedule.timezone for entry in entries for schedule in entry.schedules} - available_timezones()
    if missing or zones:
        return Finding(
            "deployments", "fail", f"nothing is called {', '.join([*missing, *sorted(zones)])}", f"mend {path}"
        )
    return Finding("deployments", "ok", f"{len(entries)} in {path}")
