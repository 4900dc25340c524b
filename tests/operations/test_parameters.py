"""No secret travels as a parameter: parameters are shown on Prefect's pages and kept in its database in the clear."""

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from flows.operating.deployments import Deployment, deployments_file, read_deployments
from flows.setting_words import variables_of
from flows.settings import Settings

DEPLOYMENTS = read_deployments(deployments_file())
TELLING = re.compile(r"pass(word|wd)?$|secret|token|(^|_)key$|credential|auth|login|(^|_)urls?$|dsn", re.IGNORECASE)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=[entry.name for entry in DEPLOYMENTS])
def test_no_parameter_of_a_deployment_is_a_secret(deployment: Deployment) -> None:
    """Neither what prefect.yaml gives, nor what its schedules give, nor what anybody may enter by hand."""
    module, _, name = deployment.entrypoint.partition(":")
    flow = getattr(import_module(module), name)
    given = [deployment.parameters, *(schedule.parameters for schedule in deployment.schedules)]
    names = {*signature(flow.fn).parameters, *(key for entry in given for key, _ in _leaves(entry))}
    assert {name for name in names if TELLING.search(name)} == set()
    kinds = [parameter.annotation for parameter in signature(flow.fn).parameters.values()]
    assert not any(_holds_a_secret(kind) for kind in kinds)


def test_what_automations_hand_on_is_no_secret() -> None:
    rules = yaml.safe_load((deployments_file().parent / "automations.yaml").read_text(encoding="utf-8"))
    handed = [value["parameters"] for value in _dictionaries(rules) if "parameters" in value]
    assert {key for entry in handed for key, _ in _leaves(entry) if TELLING.search(key)} == set()


def test_the_words_that_give_a_secret_away_find_every_secret_of_ours() -> None:
    """Or the tests above would look for the wrong ones."""
    ours = {name.rpartition("__")[2].lower() for name in variables_of(Settings, "") if _is_secret(name)}
    assert len(ours) > 8
    assert {name for name in ours if not TELLING.search(name)} == set()


def _is_secret(variable: str) -> bool:
    model: Any = Settings
    *path, last = variable.lower().split("__")
    for step in path:
        model = type(model.model_fields[step].default)
    return "SecretStr" in str(model.model_fields[last].annotation)


def _holds_a_secret(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return any(_holds_a_secret(field.annotation) for field in kind.model_fields.values())
    return "SecretStr" in str(kind)


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner)
        else:
            yield str(key), inner


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dictionaries(inner)
