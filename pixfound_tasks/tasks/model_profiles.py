"""What each lmms-eval model is declared to need: the kind of referring prompt and the coordinate convention.

`BY_MODEL` is the `lmms_eval_specific_kwargs` of the grounding tasks, keyed by the value of `--model`. `kind` names a
wording in `prompts.text.REFERRING`, `coordinates` a convention in `grounding.coordinates.conventions`. The table lists
only models with a single convention: a backend such as `vllm` or `huggingface` can run any model, so its name does not
tell. PIXFOUND_KIND and PIXFOUND_COORDINATES set both for such backends, and override the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pixfound_tasks.grounding.coordinates.conventions import conventions_of_models
from pixfound_tasks.grounding.coordinates.reading import check_convention
from pixfound_tasks.prompts.text import check_kind
from pixfound_tasks.settings import read_setting

_KINDS = {"pixfound": "attention", "pixfound_replay": "mask", "sam3": "phrase"}


class ModelProfile(NamedTuple):
    """The kind of referring prompt, and the convention of the coordinates in the answer; None if unknown."""

    kind: str = "attention"
    coordinates: str | None = None


# lmms-eval passes the model's entry to a task's prompt function, but not to its scoring. The prompt function stores it
# here, by benchmark; every prompt of a run is made before the first answer is scored.
_profiles: dict[str, ModelProfile] = {}


def by_model() -> dict[str, dict[str, Any]]:
    """The prompt kind and the coordinate convention of every known model, in the form that the task YAMLs use."""
    models = {model: {"kind": kind} for model, kind in _KINDS.items()}
    for model, convention in conventions_of_models().items():
        models[model] = {"kind": "box", "coordinates": convention}
    return models | {"default": {"kind": "box"}}


def __getattr__(attribute: str) -> dict[str, dict[str, Any]]:
    if attribute == "BY_MODEL":  # a new dict each time, because lmms-eval writes into it
        return by_model()
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def set_profile(benchmark: str, entry: Mapping[str, Any] | None) -> ModelProfile:
    """Store what is declared of the model that runs on a benchmark, and return it; `entry` is from `BY_MODEL`.

    Raises ValueError for an unknown kind or convention, before the model has answered anything.
    """
    entry = entry or {}
    kind = read_setting("PIXFOUND_KIND") or entry.get("kind") or ModelProfile().kind
    coordinates = read_setting("PIXFOUND_COORDINATES") or entry.get("coordinates")
    check_kind(kind)
    if coordinates:
        check_convention(coordinates)
    _profiles[benchmark] = ModelProfile(kind, coordinates)
    return _profiles[benchmark]


def get_profile(benchmark: str) -> ModelProfile:
    """What was last stored for a benchmark; if nothing was, what the environment variables say."""
    return _profiles.get(benchmark) or set_profile(benchmark, None)
