"""The model families whose image tokens have known positions, and how to add one.

A rule returns the boxes of one image's tokens, in the order in which the prompt holds them:

    def my_geometry(config, settings, size):
        height, width = size
        return grid_boxes(24, 24, (0, 0, width, height))

    GEOMETRIES["my_model"] = my_geometry  # by `config.model_type`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.families.anyres import llava_next_geometry, llava_onevision_geometry
from pixfound_tasks.attention.families.dynamic_resolution import (
    glm4v_geometry,
    paddleocr_vl_geometry,
    pixtral_geometry,
    qwen_vl_geometry,
)
from pixfound_tasks.attention.families.fixed_resolution import gemma3_geometry, llava_geometry, paligemma_geometry
from pixfound_tasks.attention.families.idefics import idefics3_geometry
from pixfound_tasks.attention.families.tiles import internvl_geometry, mllama_geometry
from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Float64

# (model config, processor settings, (height, width) of the image) -> boxes.
GeometryRule = Callable[[Any, "Settings", Size], "Float64[np.ndarray, 'tokens 4']"]

_FAMILIES: dict[str, GeometryRule] = {
    "exaone4_5": qwen_vl_geometry,
    "gemma3": gemma3_geometry,
    "glm46v": glm4v_geometry,
    "glm4v": glm4v_geometry,
    "glm4v_moe": glm4v_geometry,
    "glmga": glm4v_geometry,
    "idefics3": idefics3_geometry,
    "internvl": internvl_geometry,
    "llava": llava_geometry,
    "llava_next": llava_next_geometry,
    "llava_next_video": llava_next_geometry,
    "llava_onevision": llava_onevision_geometry,
    "mistral3": pixtral_geometry,
    "mllama": mllama_geometry,
    "paddleocr_vl": paddleocr_vl_geometry,
    "paligemma": paligemma_geometry,
    "qwen2_5_omni_thinker": qwen_vl_geometry,
    "qwen2_5_vl": qwen_vl_geometry,
    "qwen2_vl": qwen_vl_geometry,
    "qwen3_5": qwen_vl_geometry,
    "qwen3_5_moe": qwen_vl_geometry,
    "qwen3_vl": qwen_vl_geometry,
    "qwen3_vl_moe": qwen_vl_geometry,
    "shieldgemma2": gemma3_geometry,
    "smolvlm": idefics3_geometry,
    "video_llama_3": qwen_vl_geometry,
}
GEOMETRIES: Registry[GeometryRule] = Registry("a geometry rule", "pixfound_tasks.geometries", _FAMILIES)


def register_geometry(family: str, rule: GeometryRule) -> GeometryRule:
    """Add the rule of a family, a `config.model_type`, and return it.

    Raises ValueError if the family has another rule.
    """
    return GEOMETRIES.register(family, rule)


class Settings:
    """What a processor does to an image. Each setting is an attribute, and None if no source sets it.

    The sources are, in order of precedence: the options of the call, the processor's default `images_kwargs`, the
    attributes of its image processor, and its own attributes.

    `images_in_prompt` is the number of images in the prompt. With some processors, the tiles depend on it.
    """

    def __init__(self, processor: Any, images_kwargs: dict[str, Any] | None = None, images_in_prompt: int = 1) -> None:
        self.options = {**(getattr(processor, "images_kwargs", None) or {}), **(images_kwargs or {})}
        self.sources = (getattr(processor, "image_processor", processor), processor)
        self.images_in_prompt = images_in_prompt

    def __getattr__(self, name: str) -> Any:
        if self.options.get(name) is not None:
            return self.options[name]
        return next((value for value in (getattr(s, name, None) for s in self.sources) if value is not None), None)


def token_geometry(
    config: Any, processor: Any, size: Size, count: int | None = None, images_kwargs: dict[str, Any] | None = None
) -> TokenGeometry:
    """Return the token geometry of a prompt's only image; see `token_geometries`."""
    return token_geometries(config, processor, [size], count, images_kwargs)[0]


def token_geometries(
    config: Any,
    processor: Any,
    sizes: Sequence[Size],
    count: int | None = None,
    images_kwargs: dict[str, Any] | None = None,
) -> tuple[TokenGeometry, ...]:
    """Return the token geometries of a prompt's images, in order.

    Args:
        config: the model's configuration; its `model_type` names the family.
        processor: the model's processor, or its image processor.
        sizes: (height, width) of each original image in pixels.
        count: the number of image tokens that the prompt holds for these images. If given, it must equal the number
            that the family's rule gives.
        images_kwargs: options that the processor is called with, such as `do_pan_and_scan`.

    Raises:
        ValueError: if the family has no rule, or its rule gives a number of tokens other than `count`. A geometry is
            never guessed.
    """
    family = config.model_type
    check_family(family)
    settings = Settings(processor, images_kwargs, len(sizes))
    geometries = tuple(TokenGeometry(GEOMETRIES[family](config, settings, size), size) for size in sizes)
    expected = sum(len(geometry.boxes) for geometry in geometries)
    if count is not None and expected != count:
        raise ValueError(
            f"expected {expected} image tokens of {family!r} for images of (height, width) {list(sizes)}, but the "
            f"prompt holds {count}: the rule does not match the processor; register one that does, {_how(family)}"
        )
    return geometries


def check_family(family: str) -> None:
    """Raise ValueError if a `config.model_type` has no rule."""
    if family in GEOMETRIES:
        return
    nearest = get_close_matches(family, GEOMETRIES, n=1)
    hint = f" (nearest: {nearest[0]!r})" if nearest else ""
    raise ValueError(
        f"expected a model of one of the families {sorted(GEOMETRIES)}, but got {family!r}{hint}: "
        f"register its rule, {_how(family)}"
    )


def _how(family: str) -> str:
    return f"GEOMETRIES[{family!r}] = my_geometry, see pixfound_tasks.attention.families.registry"
