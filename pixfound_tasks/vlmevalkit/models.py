"""What VLMEvalKit's models are declared to need: the coordinate convention of each class of models.

A class is listed if all its checkpoints have one transformers architecture whose convention is known, see
`grounding.coordinates.conventions`. Others, and models on a server, need PIXFOUND_COORDINATES.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from pixfound_tasks.grounding.coordinates.conventions import convention_of_architecture

# VLMEvalKit's class -> transformers' `model_type`.
_ARCHITECTURES = {
    "DeepSeekVL2": "deepseek_vl_v2",
    "Gemma3": "gemma3",
    "GLMThinking": "glm4v",
    "InternVLChat": "internvl_chat",
    "Kosmos2": "kosmos-2",
    "LLaVA": "llava",
    "MiniCPM_V_2_6": "minicpmv",
    "MiniCPM_V_4": "minicpmv",
    "MiniCPM_V_4_5": "minicpmv",
    "PaliGemma": "paligemma",
    "Qwen3VLChat": "qwen3_vl",
    "molmo": "molmo",
}
# One class for two architectures, told apart by the checkpoint's name.
_QWEN2, _QWEN2_5 = ("Qwen2-VL", "QVQ"), ("Qwen2.5-VL", "Qwen2_5-VL")
_QWEN_FACTOR = 28
# What qwen_vl_utils resizes to if VLMEvalKit's model has no bounds of its own, in pixels.
_QWEN_BOUNDS = (4 * 28 * 28, 16384 * 28 * 28)


class Model(NamedTuple):
    """A model of VLMEvalKit: its class and the arguments that it is made with."""

    name: str
    kind: str = ""
    arguments: Mapping[str, Any] = {}

    @property
    def checkpoint(self) -> str:
        """The checkpoint, or the model's name on its server; "" if unknown."""
        return str(self.arguments.get("model_path") or self.arguments.get("model") or "")

    @property
    def as_text(self) -> str:
        """The class and the checkpoint, as a report shows them; no other argument, since some are secrets."""
        parts = {"class": self.kind, "checkpoint": self.checkpoint, "url": str(self.arguments.get("api_base") or "")}
        return ",".join(f"{name}={value}" for name, value in parts.items() if value)


def find_model(name: str, made_by: object) -> Model:
    """The model of this name; `made_by` is its entry in VLMEvalKit's `supported_VLM`, None if it has none there."""
    if not isinstance(made_by, partial):
        return Model(name, getattr(made_by, "__name__", ""))
    return Model(name, made_by.func.__name__, dict(made_by.keywords))


def declared_of(model: Model) -> dict[str, Any]:
    """How the model is prompted and in what coordinates it answers, as in `tasks.model_profiles.BY_MODEL`."""
    convention = _convention(model)
    return {"kind": "box"} | ({"coordinates": convention} if convention else {})


def _convention(model: Model) -> str | None:
    if model.kind == "Qwen2VLChat":
        return _convention_of_qwen2(model)
    architecture = _ARCHITECTURES.get(model.kind)
    return convention_of_architecture(architecture) if architecture else None


def _convention_of_qwen2(model: Model) -> str | None:
    if any(name in model.checkpoint for name in _QWEN2_5):
        low, high = (model.arguments.get(f"{end}_pixels") or usual for end, usual in zip(("min", "max"), _QWEN_BOUNDS))
        return f"{convention_of_architecture('qwen2_5_vl')}:{_QWEN_FACTOR}:{low}:{high}"
    return convention_of_architecture("qwen2_vl") if any(name in model.checkpoint for name in _QWEN2) else None
