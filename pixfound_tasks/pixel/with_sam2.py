"""Loads a language model together with the SAM 2 that its mask tokens prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from accelerate import init_empty_weights
from torch import nn

from pixfound_tasks.pixel.checkpoint import Checkpoint, Rule, building, load_weights
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.placement import Placement
from pixfound_tasks.pixel.sam2_decoder import Normalization, Sam2Decoder
from pixfound_tasks.pixel.sam2_weights import join_points, sam2_model, sam2_rules

_SAM2 = "grounding_encoder.sam2_model."


@dataclass(frozen=True)
class Base:
    """The model that a pixel-level model is built on, without weights.

    Attributes:
        model: a transformers image-text-to-text model, parameters on the meta device.
        processor: its processor.
        rules: of its weights; their targets begin with "model.".
        is_normed: whether the states that prompt SAM 2 are those after the final norm.
    """

    model: Any
    processor: Any
    rules: list[Rule]
    is_normed: bool = True


class Drawer(NamedTuple):
    """The loaded parts beside the language model."""

    projection: nn.Module
    decoder: Sam2Decoder


def load_with_sam2(
    checkpoint: Checkpoint,
    options: Options,
    model: Any,
    rules: Sequence[Rule],
    projection: str,
    normalization: Normalization,
) -> Drawer:
    """Fill the language model, which is on the meta device, and return the other parts of a checkpoint.

    Args:
        checkpoint: the checkpoint.
        options: how it is loaded.
        model: the language model with its image encoder.
        rules: of the language model's weights. Their targets begin with "model.".
        projection: what the keys of the layers from hidden states to prompts of SAM 2 begin with, without the dot.
        normalization: of SAM 2's pixels.

    Raises:
        CheckpointError: if the weights are not those of the model.
    """
    shapes = checkpoint.shapes
    with building(checkpoint.folder):
        inner, width = shapes[f"{projection}.0.weight"]
        with init_empty_weights():
            layers = nn.Sequential(
                nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, shapes[f"{projection}.2.weight"][0])
            )
        sam = sam2_model(checkpoint, _SAM2)
    parts = nn.ModuleDict({"model": model, "projection": layers, "sam": sam})
    begin = projection.replace(".", r"\.")
    own = [Rule(rf"{begin}\.(0|2)\.(weight|bias)", r"projection.\1.\2")]
    config = checkpoint.config
    dtype = options.dtype or getattr(torch, str(config.get("torch_dtype") or config.get("dtype") or "float32"))
    placement = Placement(parts, options.device_map, dtype, options.dtype or torch.float32)
    depth = sam.config.mask_decoder_config.iou_head_depth
    load_weights(parts, checkpoint, [*rules, *own, *sam2_rules(_SAM2, "sam.", depth)], placement)
    join_points(sam)
    model.tie_weights()
    placement.settle()
    model.eval()
    return Drawer(layers, Sam2Decoder(sam, normalization))
