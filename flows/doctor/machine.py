"""The machine: Python, packages, bytecode, time zones, the home folder, disk space."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from importlib import metadata
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flows.doctor.finding import Finding, Patient

PACKAGE = "tandem-abm"
#: What goes wrong with a version outside the range; it is not what one would expect.
KNOWN_TRAPS = {
    "fastapi": "Prefect's server does not start",
    "sqlalchemy": "Prefect's scheduler stops without a word",
    "prefect": "pages, states and stalls were measured with one version only",
}
#: Free space, in bytes: below the first nothing is safe, below the second soon nothing will be.
FULL, NEARLY_FULL = 200 * 2**20, 2 * 2**30


def python(patient: Patient) -> Finding:
    wanted = metadata.metadata(PACKAGE)["Requires-Python"]
    found = ".".join(map(str, sys.version_info[:3]))
    if Requirement(f"python{wanted}").specifier.contains(found):
        return Finding("Python", "ok", found)
    return Finding("Python", "fail", f"{found} is not {wanted}", "make a virtual environment with a newer Python")


def packages(patient: Patient) -> Finding:
    unfit = unfit_packages(metadata.requires(PACKAGE) or [], metadata.version)
    if not unfit:
        return Finding("packages", "ok", f"all fit; Prefect {metadata.version('prefect')}")
    return Finding("packages", "fail", "; ".join(unfit), "pip install -c constraints.txt tandem-abm, or make setup")


def unfit_packages(requirements: Iterable[str], version_of: Callable[[str], str]) -> list[str]:
    """What is missing or of another version than our package asks for, each with what that leads to."""
    unfit = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        trap = KNOWN_TRAPS.get(canonicalize_name(requirement.name))
        try:
            found = version_of(requirement.name)
        except metadata.PackageNotFoundError:
            unfit.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            unfit.append(f"{requirement.name} {found} is not {requirement.specifier}" + (f" ({trap})" if trap else ""))
    return unfit


def bytecode(patient: Patient) -> Finding:
    """Whether programs we start find compiled files: without them each start of Prefect takes twice as long."""
    spec = find_spec("prefect")
    if spec and spec.origin and Path(cache_from_source(spec.origin)).is_file():
        return Finding("bytecode", "ok", "Prefect is compiled")
    return Finding(
        "bytecode", "warn", "every start compiles Prefect anew", f"{sys.executable} -m compileall -q {sys.prefix}"
    )


def time_zones(patient: Patient) -> Finding:
    """Whether zone data is there, and knows summer from winter: send windows are in the recipient's own time."""
    try:
        winter = datetime(2026, 1, 15, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
        summer = datetime(2026, 7, 15, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
    except ZoneInfoNotFoundError:
        return Finding("time zones", "fail", "no time zone data", "pip install tzdata")
    if (winter, summer) != (timedelta(hours=1), timedelta(hours=2)):
        return Finding("time zones", "fail", "Berlin has no summer time", "pip install --upgrade tzdata")
    return Finding("time zones", "ok", "known, with daylight saving")


def home(patient: Patient) -> Finding:
    """Whether we can write where Tandem keeps what it writes."""
    folder = patient.settings.home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "home",
            "fail",
            f"{folder} cannot be written: {error.strerror}",
            "set home (TANDEM_HOME) to a folder of yours",
        )
    return Finding("home", "ok", str(folder.absolute()))


def disk(patient: Patient) -> Finding:
    free = shutil.disk_usage(_nearest(patient.settings.home)).free
    says = f"{free / 2**30:.1f} GiB free"
    if free < FULL:
        return Finding("disk", "fail", says, "make room: a full disk stops sending in the middle of a plan")
    return Finding("disk", "warn" if free < NEARLY_FULL else "ok", says, "make room" if free < NEARLY_FULL else None)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))
