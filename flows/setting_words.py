"""What is wrong with a setting, in words: where it stands, what it has to be, and never what it is."""

import os
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from accounts.errors import SettingsRefused

#: Kinds of mistakes as pydantic names them, and what a person reads; what is not here stays in pydantic's words.
SAYS = {
    "extra_forbidden": "there is no such setting",
    "literal_error": "has to be {expected}",
    "int_parsing": "has to be a whole number",
    "int_type": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_parsing": "has to be a number",
    "float_type": "has to be a number",
    "bool_parsing": "has to be true or false",
    "bool_type": "has to be true or false",
    "string_type": "has to be text, in quotes",
    "model_type": "has to be a table of settings",
    "list_type": 'has to be a list: ["…", "…"]',
    "tuple_type": 'has to be a list: ["…", "…"]',
    "dict_type": "has to be a table",
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be {ge} or more",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be {le} or less",
    "value_error": "{error}",
}


def first_mistake(error: ValidationError, settings: type[BaseModel]) -> SettingsRefused:
    """The first of what is wrong, with where it stands."""
    mistake = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in mistake["loc"])
    says = SAYS.get(mistake["type"], mistake["msg"]).format_map(mistake.get("ctx", {}))
    cure = "see docs/settings.md"
    if mistake["type"] == "extra_forbidden":
        near = get_close_matches(_variable(key), variables_of(settings, "TANDEM_"), 1)
        cure = f"did you mean {_key(near[0])}?" if near else cure
    return SettingsRefused(says, where=_place(key), cure=cure)


def no_json(error: SettingsError) -> SettingsRefused:
    """A variable that holds a list or a table, and is none. pydantic says only below which setting it stands."""
    field = str(error).split('"')[1].upper()
    names = sorted(name for name in os.environ if name.upper().startswith(f"TANDEM_{field}"))
    return SettingsRefused(
        "a list or a table has to be JSON", where=" or ".join(names) or f"TANDEM_{field}", cure="see docs/settings.md"
    )


def variables_of(model: type[BaseModel], prefix: str) -> dict[str, object]:
    """The environment variables of a settings model, each with its default; nested ones after two underscores."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        found[f"{prefix}{name}".upper()] = field.default
        if isinstance(field.default, BaseModel):
            found |= variables_of(type(field.default), f"{prefix}{name}__".upper())
    return found


def _place(key: str) -> str:
    """``smtp.port in tandem.toml``, or the variable that overrules it, or the list or table it stands in."""
    names = [name for name in os.environ if f"{_variable(key)}__".startswith(f"{name.upper()}__")]
    return max(names, key=len) if names else f"{key} in tandem.toml"


def _variable(key: str) -> str:
    return f"TANDEM_{key.upper().replace('.', '__')}"


def _key(variable: str) -> str:
    return variable.removeprefix("TANDEM_").lower().replace("__", ".")
