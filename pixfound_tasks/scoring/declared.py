"""What is declared of each model of lmms-eval: how it is asked to find something, and how it says where.

`BY_MODEL` is the `lmms_eval_specific_kwargs` of the grounding tasks, by the value of `--model`: `kind` names a wording
in `prompts.REFERRING`, `coordinates` a convention in `grounding.coordinates`. It names models of one convention only:
what a backend such as `vllm` or `huggingface` runs is not known by its name, and `PIXFOUND_COORDINATES` says it.
"""

from __future__ import annotations

import os
from typing import Any

from pixfound_tasks.grounding.coordinates import check_convention

_KINDS = {"pixfound": "attention", "pixfound_replay": "mask", "sam3": "phrase"}
_COORDINATES = {
    # Within the bounds that lmms-eval's own wrapper gives the processor.
    "resized:28:200704:1605632": ("qwen2_5_vl", "qwen2_5_vl_interleave"),
    "thousand": (
        "qwen_vl", "qwen2_vl", "qwen3_vl", "qwen3_5",
        "internvl", "internvl2", "internvl3", "internvl3_5", "internvl_hf", "minicpm_v",
    ),
    "thousand_yx": ("gemini", "gemma3"),
    "fraction_padded": ("llava",),
}  # fmt: skip

# lmms-eval tells a task's prompt what is declared of the model, but not its scoring: the prompt notes it here, by
# benchmark, and every prompt of a run is made before the first answer is scored.
_noted: dict[str, str | None] = {}


def by_model() -> dict[str, dict[str, Any]]:
    models = {model: {"kind": kind} for model, kind in _KINDS.items()}
    for convention, names in _COORDINATES.items():
        models |= {model: {"kind": "box", "coordinates": convention} for model in names}
    return models | {"default": {"kind": "box"}}


def __getattr__(attribute: str) -> dict[str, dict[str, Any]]:
    if attribute == "BY_MODEL":  # a new one each time: lmms-eval writes into it
        return by_model()
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def note(benchmark: str, declared: dict[str, Any] | None) -> str:
    """Note what is declared of the model that is asked about a benchmark; returns the kind of prompt it takes.

    Raises what `convention` raises, before a model has answered anything.
    """
    declared = declared or {}
    _noted[benchmark] = declared.get("coordinates")
    convention(benchmark)
    return declared.get("kind", "attention")


def convention(benchmark: str) -> str | None:
    """The convention of the model's coordinates: what PIXFOUND_COORDINATES says, else what was noted, else None.

    Raises ValueError for a convention that there is not.
    """
    named = os.environ.get("PIXFOUND_COORDINATES") or _noted.get(benchmark)
    if named:
        check_convention(named)
    return named
