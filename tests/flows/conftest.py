"""One real Prefect server for all tests that run flows, with what the product gives it."""

from collections.abc import Iterator

import pytest

from flows.operating.prefect_server import PrefectServer, running_server


@pytest.fixture(scope="package")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """The server, and this process's Prefect pointed at it: flows can simply be called.

    Prefect may have been imported before, so the settings are laid over it as well as into the environment, where
    programs that a test starts find them. The heartbeat is off: with it every synchronous flow ends with a second of
    waiting.
    """
    with running_server(tmp_path_factory.mktemp("prefect")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            PREFECT_HOME,
            temporary_settings,
        )

        laid_over = {
            PREFECT_API_URL: server.url,
            PREFECT_HOME: server.env["PREFECT_HOME"],
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        }
        with temporary_settings(laid_over):
            yield server
