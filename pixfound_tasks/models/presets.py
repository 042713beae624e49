"""Presets of `--model pixfound`: names for sets of ordinary arguments.

`paper` is the study's procedure (arXiv 2502.04192, the authors' scripts), as far as arguments can express it; see
docs/fidelity.md. It is not known to give the study's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loguru import logger
from transformers import PretrainedConfig

from pixfound_tasks.choices import check_choice
from pixfound_tasks.settings import set_default

# The system prompt of LLaVA-1.5's `llava_v1` template.
_LLAVA_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "system": _LLAVA_SYSTEM,
        "pad": True,
        "query": "study",
        "reducer": "study",
        "layers": "all",
        "phrases": "spacy:en_core_web_lg",
        "select": "similarity:spacy:en_core_web_lg",
        "judging": "study",  # for select=judge beside the preset
        "segmenter": "sam:facebook/sam-vit-huge",
        "mask": "third",
        "point": "corner",
        "point_rank": 1,
        "batch_size": 1,
        "do_sample": True,
        "temperature": 0.2,
        "top_p": 1.0,
        "top_k": 50,
        "num_beams": 1,
        "max_new_tokens": 1024,
        "sampling_seed": 2024,
        "no_candidate": "wrong",
    }
}
# What a preset needs of the environment, because it is about the documents and not about the model.
VARIABLES = {"paper": {"PIXFOUND_EXPRESSIONS": "authors"}}
_FAMILIES = ("llava",)
_CAMBRIAN = ("cambrian_llama", "cambrian_qwen", "cambrian_phi3", "cambrian")


def expand(preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a preset, except for those that are given, which win. Each of them is logged.

    Raises ValueError if there is no such preset.
    """
    check_choice("preset", preset, PRESETS)
    arguments = {name: given.get(name, value) for name, value in PRESETS[preset].items()}
    for name, value in PRESETS[preset].items():
        changed = f" (given; the preset has {value!r})" if str(arguments[name]) != str(value) else ""
        logger.info(f"preset={preset}: {name}={arguments[name]!r}{changed}")
    return arguments


def set_variables(preset: str) -> None:
    """Set the environment variables that a preset needs, unless they are set. Each of them is logged."""
    for name, value in VARIABLES[preset].items():
        used = set_default(name, value)
        changed = f" (set; the preset has {value!r})" if used != value else ""
        logger.info(f"preset={preset}: {name}={used!r}{changed}")


def check_model(preset: str, checkpoint: str) -> None:
    """Raise ValueError unless a preset is the procedure for a checkpoint, see `check_family`."""
    kinds, _ = PretrainedConfig.get_config_dict(checkpoint)
    check_family(preset, str(kinds.get("model_type")), (kinds.get("vision_config") or {}).get("model_type"))


def check_family(preset: str, model_type: str, vision_type: str | None) -> None:
    """Raise ValueError unless the preset is the procedure for this family: LLaVA-1.5, of the study's three models."""
    if model_type in _CAMBRIAN:
        raise ValueError(
            f"expected LLaVA-1.5 with preset={preset}, but got {model_type}; transformers has no Cambrian-1: replay "
            "its predictions with --model pixfound_replay"
        )
    if model_type not in _FAMILIES or vision_type != "clip_vision_model":
        raise ValueError(
            f"expected LLaVA-1.5 with preset={preset}, such as pretrained=llava-hf/llava-1.5-7b-hf, but got "
            f"{model_type}; leave out the preset, or give the arguments that it stands for one by one"
        )
