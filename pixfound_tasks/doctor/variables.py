"""The environment variables that are set, and whether their values mean something."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from pixfound_tasks.choices import check_choice
from pixfound_tasks.doctor.findings import ERROR, OK, WARNING, Finding
from pixfound_tasks.settings import FOREIGN, OWN, Setting

_SECTION = "variables"
_JUDGES = ("local:", "openai:")


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
        if setting.name in _CHECKS:
            _CHECKS[setting.name](value)
    except ImportError as error:
        return Finding(_SECTION, setting.name, WARNING, f"{value}; not checked: {error.name} is not installed")
    except ValueError as error:
        return Finding(_SECTION, setting.name, ERROR, str(error), f"correct {setting.name}, or unset it")
    return Finding(_SECTION, setting.name, OK, value)


def _check_answers(value: str) -> None:
    from pixfound_tasks.benchmarks.pixmmvp import ANSWERS

    check_choice("PIXFOUND_ANSWERS", value, ANSWERS)


def _check_coordinates(value: str) -> None:
    from pixfound_tasks.grounding.coordinates import check_convention

    check_convention(value)


def _check_kind(value: str) -> None:
    from pixfound_tasks.prompts import REFERRING

    check_choice("PIXFOUND_KIND", value, REFERRING)


def _check_revision(value: str) -> None:
    from pixfound_tasks.benchmarks.sources import asked_revision

    asked_revision("pixmmvp")


def _check_segmenter(value: str) -> None:
    from pixfound_tasks.grounding.segmenters import check_segmenter

    check_segmenter(value)


def _check_form(name: str, words: tuple[str, ...], prefixes: tuple[str, ...]) -> Callable[[str], None]:
    """A check that a value is one of some words, or has one of some prefixes and more."""

    def check(value: str) -> None:
        if value in words or any(value.startswith(each) and value != each for each in prefixes):
            if value.startswith("openai:") and not os.environ.get("OPENAI_API_KEY"):
                raise ValueError(f"expected OPENAI_API_KEY to be set for {name}={value}, but it is not; set it")
            return
        raise ValueError(
            f"expected {name} to be {' or '.join([*words, *(f'{p}NAME' for p in prefixes)])}, but got {value!r}"
        )

    return check


_CHECKS: dict[str, Callable[[str], None]] = {
    "PIXFOUND_ANSWERS": _check_answers,
    "PIXFOUND_CONCEPTS": _check_form("PIXFOUND_CONCEPTS", ("words", "auto"), ("spacy:", *_JUDGES)),
    "PIXFOUND_COORDINATES": _check_coordinates,
    "PIXFOUND_JUDGE": _check_form("PIXFOUND_JUDGE", ("rule",), _JUDGES),
    "PIXFOUND_KIND": _check_kind,
    "PIXFOUND_PARAPHRASER": _check_form("PIXFOUND_PARAPHRASER", (), _JUDGES),
    "PIXFOUND_REVISION": _check_revision,
    "PIXFOUND_SEGMENTER": _check_segmenter,
}
