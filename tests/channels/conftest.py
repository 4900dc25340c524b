"""A road for each channel that a test names."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore import loaders, session

from tests.channels.roads import ROADS, Road
from tests.channels.servers.ses import moto_server


class Moto:
    """One server for the whole run, started when somebody needs it; called, it says its address."""

    def __init__(self, house: ExitStack) -> None:
        self._house, self._address = house, ""

    def __call__(self) -> str:
        if not self._address:
            self._address = self._house.enter_context(moto_server())
        return self._address


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with ExitStack() as house:
        yield Moto(house)


@pytest.fixture(scope="session", autouse=True)
def _what_amazon_offers_is_read_once() -> Iterator[None]:
    """Every session of boto3 reads the same large files anew, which is most of what a test of SES takes."""
    known = loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", lambda search_path_string=None: known)
        yield


@pytest.fixture
def road(request: pytest.FixtureRequest, tmp_path: Path, moto: Moto) -> Iterator[Road]:
    """By name. A test that asks a provider for what it does not document fails, whatever else it says."""
    with ROADS[request.param](tmp_path, moto) as road:
        yield road
        assert list(road.refused()) == []
