"""The server the tests and the demo run on: flows follow each other without stalls, and nothing is left half-told."""

import time
from statistics import median

from prefect import flow, task

from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer, hand_over


@task
def double(number: int) -> int:
    return 2 * number


@flow
def double_all(numbers: list[int]) -> list[int]:
    return [future.result() for future in double.map(numbers)]


def test_flows_that_follow_each_other_closely_do_not_wait_for_the_database(prefect_api: PrefectServer) -> None:
    """Over several connections to SQLite about every second of these takes ten times as long as the quickest: it waits
    for a lock. Over one connection none does."""
    taken = []
    for _ in range(8):
        began = time.perf_counter()
        assert double_all([1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
        taken.append(time.perf_counter() - began)
    assert median(taken) < 8 * min(taken), taken


def test_after_handing_over_the_server_knows_every_task_as_finished(prefect_api: PrefectServer) -> None:
    api = PrefectApi(prefect_api.url)
    double_all(list(range(40)))
    assert hand_over(prefect_api)
    running = {"task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    assert api.post("/task_runs/count", running) == 0
    assert api.post("/task_runs/count", {"flows": {"name": {"any_": ["double-all"]}}}) >= 40


def test_the_pages_of_the_server_look_for_it_where_it_is(prefect_api: PrefectServer) -> None:
    """A server on another port than 4200 whose pages ask port 4200 shows nothing at all."""
    assert PrefectApi(prefect_api.url).ui_settings()["api_url"] == prefect_api.url
