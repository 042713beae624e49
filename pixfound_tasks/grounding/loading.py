"""Loads the model behind a lens with all of its weights, or says what they are instead."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, PretrainedConfig

from pixfound_tasks.attention import Lens

_LISTED = 3  # missing weights in an error's text


def load_lens(path: str, device_map: str, dtype: str, attn_implementation: str | None, **options: Any) -> Lens:
    """Return the lens of a checkpoint in a folder or on the hub. `options` are arguments of `Lens`.

    Of a pixel-level checkpoint, such as LISA, it is the lens of the language model: transformers would take most of
    them for a LLaVA, and start with random weights.
    """
    config, _ = PretrainedConfig.get_config_dict(path, trust_remote_code=False)
    if _is_pixel_level(config):
        return _pixel_lens(path, device_map, dtype, attn_implementation, options)
    model, found = AutoModelForImageTextToText.from_pretrained(
        path,
        device_map=device_map,
        dtype=dtype,
        attn_implementation=attn_implementation,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if missing := sorted(map(str, found["missing_keys"])):
        raise ValueError(
            f"expected a checkpoint with all weights of a {type(model).__name__}, but {path!r} lacks {len(missing)} of "
            f"them ({', '.join(missing[:_LISTED])}, ...), which would be random; check that the download is complete, "
            f"and that config.json names the model's own architecture"
        )
    return Lens(model.eval(), AutoProcessor.from_pretrained(path, trust_remote_code=False), **options)


def _is_pixel_level(config: dict[str, Any]) -> bool:
    from pixfound_tasks.pixel.families.registry import FAMILIES

    return any(family.recognizes(config) for family in FAMILIES.values())


def _pixel_lens(
    path: str, device_map: str, dtype: str, attn_implementation: str | None, options: dict[str, Any]
) -> Lens:
    from pixfound_tasks.pixel.families.registry import Options, load_pixel_model

    given = Options(None if dtype == "auto" else getattr(torch, dtype), device_map, attn_implementation)
    model = load_pixel_model(path, options=given)
    model.lens_options |= options
    return model.lens
