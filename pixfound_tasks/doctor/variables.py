"""The environment variables that are set, and whether their values mean something."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

from pixfound_tasks.doctor.findings import ERROR, OK, WARNING, Finding
from pixfound_tasks.settings import FOREIGN, OWN, Setting, check_setting, read_setting

_SECTION = "variables"


def examine_variables() -> Iterator[Finding]:
    """Every variable of the tables that is set, and every unknown one with our prefix."""
    own = {setting.name: setting for setting in OWN}
    for name in sorted(each for each in os.environ if each.startswith("PIXFOUND_") and each not in own):
        nearest = get_close_matches(name, own, n=1)
        remedy = f"rename it to {nearest[0]}, or unset it" if nearest else "unset it"
        yield Finding(_SECTION, name, WARNING, "is no variable of this package", remedy)
    for setting in (*OWN, *FOREIGN):
        if os.environ.get(setting.name):
            yield _examine(setting, os.environ[setting.name])


def _examine(setting: Setting, value: str) -> Finding:
    if setting.is_secret:
        return Finding(_SECTION, setting.name, OK, "is set")
    try:
        check_setting(setting, value)
        _check_key(setting.name, value)
    except ImportError as error:
        return Finding(_SECTION, setting.name, WARNING, f"{value}; not checked: {error.name} is not installed")
    except ValueError as error:
        return Finding(_SECTION, setting.name, ERROR, str(error), f"correct {setting.name}, or unset it")
    return Finding(_SECTION, setting.name, OK, value)


def _check_key(name: str, value: str) -> None:
    """Raise ValueError for a judge of the chat-completions protocol without a key."""
    if value.startswith("openai:") and not read_setting("OPENAI_API_KEY"):
        raise ValueError(f"expected OPENAI_API_KEY to be set for {name}={value}, but it is not; set it")
