"""What `tandem init` makes: the home folder, the database, a tandem.toml to start from. Nothing is overwritten."""

import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accounts.ledger import schema
from accounts.ledger.engine import open_ledger, reach
from flows.settings import Settings

EXAMPLE = Path(__file__).with_name("tandem.example.toml")


@dataclass(frozen=True, slots=True)
class Founded:
    """What was there before, and what is there now. `settings_file` is None where one was there already."""

    database: str
    version_before: str | None
    version: str | None
    settings_file: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        if self.version_before is None:
            done = f"made, version {self.version}"
        elif self.version_before == self.version:
            done = f"is up to date, version {self.version}"
        else:
            done = f"brought from version {self.version_before} to {self.version}"
        settings = f"{self.settings_file} written: every setting, its default and what it does"
        return [f"{self.database}: {done}", settings if self.settings_file else "tandem.toml: left as it is"]


def found_house(settings: Settings, folder: Path) -> Founded:
    """Make the database of these settings, or bring it up to date; write tandem.toml into `folder` if it has none.

    Raises SettingsRefused for a database that does not answer, Refused for one that is not ours to upgrade.
    """
    engine = open_ledger(settings.ledger_url)
    place = engine.url.render_as_string(hide_password=True)
    try:
        reach(engine)
        before = schema.upgrade(engine)
        after = schema.current(engine)
    finally:
        engine.dispose()
    written = write_settings_file(folder / "tandem.toml", new_key=before is None)
    return Founded(place, before, after, "tandem.toml" if written else None)


def write_settings_file(path: Path, *, new_key: bool) -> bool:
    """Every setting as a comment with its default; whether it was written. For one's own eyes only.

    new_key: with a key of its own to sign links with. Never for a database that has sent mail before: a link signed
    with another key, such as an unsubscribe link, would be refused from then on.
    """
    words = EXAMPLE.read_text(encoding="utf-8")
    if new_key and "TANDEM_SECRET_KEY" not in os.environ:
        words = words.replace('#secret_key = ""', f'secret_key = "{secrets.token_urlsafe(32)}"')
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(file, "w", encoding="utf-8") as output:
        output.write(words)
    return True
