"""Nationwide public holidays of a country, from the package `holidays`, loading that country and no other.

The package would load all 250 countries for one, which takes as long as everything else `tandem why` does.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any


@cache
def public_holidays(country: str | None, year: int) -> Mapping[date, str]:
    """Day -> name, in English where the package has it. `country`: ISO 3166 alpha-2; empty for one nobody knows."""
    found = _country(country) if country else None
    return {} if found is None else dict(found(years=year, language="en_US"))


@cache
def _country(code: str) -> Callable[..., Mapping[date, str]] | None:
    """The country's class, from its own file; through the package where it is not laid out as expected."""
    import holidays

    loader = getattr(holidays, code, None) if len(code) == 2 else None
    if loader is None:
        return None
    found: Any = _from_file(Path(holidays.__file__).parent, getattr(loader, "module_name", "")) or holidays
    country: Callable[..., Mapping[date, str]] = getattr(found, getattr(loader, "entity_name", code))
    return country


def _from_file(package: Path, module: str) -> Any:
    """``holidays.countries.germany`` without its package, or None."""
    path = package.joinpath(*module.split(".")[1:]).with_suffix(".py")
    spec = spec_from_file_location(f"accounts.{module}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        return None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
