"""What is declared of each model of lmms-eval: how it is asked to find something, and how it says where.

`BY_MODEL` is the `lmms_eval_specific_kwargs` of the grounding tasks, by the value of `--model`: `kind` names a wording
in `prompts.text.REFERRING`, `coordinates` a convention in `grounding.coordinates.conventions`. It names models of one convention only:
what a backend such as `vllm` or `huggingface` runs is not known by its name. PIXFOUND_KIND and PIXFOUND_COORDINATES
say it for them, and go before what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pixfound_tasks.grounding.coordinates.conventions import conventions_of_models
from pixfound_tasks.grounding.coordinates.reading import check_convention
from pixfound_tasks.prompts.text import check_kind
from pixfound_tasks.settings import read_setting

_KINDS = {"pixfound": "attention", "pixfound_replay": "mask", "sam3": "phrase"}


class Declared(NamedTuple):
    """The kind of referring prompt, and the convention of the coordinates in the answer; None: not known."""

    kind: str = "attention"
    coordinates: str | None = None


# lmms-eval tells a task's prompt what is declared of the model, but not its scoring: the prompt notes it here, by
# benchmark, and every prompt of a run is made before the first answer is scored.
_noted: dict[str, Declared] = {}


def by_model() -> dict[str, dict[str, Any]]:
    """How every known model is asked and what its numbers mean, in the form of the tasks' YAMLs."""
    models = {model: {"kind": kind} for model, kind in _KINDS.items()}
    for model, convention in conventions_of_models().items():
        models[model] = {"kind": "box", "coordinates": convention}
    return models | {"default": {"kind": "box"}}


def __getattr__(attribute: str) -> dict[str, dict[str, Any]]:
    if attribute == "BY_MODEL":  # a new one each time: lmms-eval writes into it
        return by_model()
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def note(benchmark: str, entry: Mapping[str, Any] | None) -> Declared:
    """Note what is declared of the model that is asked about a benchmark, as `BY_MODEL` has it, and return it.

    Raises ValueError for a kind or a convention that there is not, before a model has answered anything.
    """
    entry = entry or {}
    kind = read_setting("PIXFOUND_KIND") or entry.get("kind") or Declared().kind
    coordinates = read_setting("PIXFOUND_COORDINATES") or entry.get("coordinates")
    check_kind(kind)
    if coordinates:
        check_convention(coordinates)
    _noted[benchmark] = Declared(kind, coordinates)
    return _noted[benchmark]


def noted(benchmark: str) -> Declared:
    """What was noted last of a benchmark's model; where nothing was, what the environment says."""
    return _noted.get(benchmark) or note(benchmark, None)
