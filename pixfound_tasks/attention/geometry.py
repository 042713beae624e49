"""Where in the original image each image token lies, and painting token values onto it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class TokenGeometry:
    """For every image token the box it stands for, in pixels of the original image.

    `boxes` is float64 (tokens, 4), rows `(x0, y0, x1, y1)`; NaN for tokens that stand for no place. Boxes may reach
    beyond the image where the processor padded it. `size` is the image's (height, width).
    """

    boxes: np.ndarray
    size: tuple[int, int]

    def paint(self, values: np.ndarray, method: Literal["bicubic", "nearest"] = "bicubic") -> np.ndarray:
        """Token values, (tokens,), as a map float32 (height, width); NaN where no token sees the image."""
        if values.shape != (len(self.boxes),):
            raise ValueError(f"expected one value for each of {len(self.boxes)} image tokens, but got {values.shape}")
        placed = ~np.isnan(self.boxes[:, 0])
        boxes, grid = self.boxes[placed], np.asarray(values, np.float32)[placed]
        x0, y0, x1, y1 = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
        columns, rows = (len(np.unique(boxes[:, axis])) for axis in (0, 1))
        height, width = self.size
        # Pixel centres in the grid's own coordinates, -1 and 1 at its outer edges.
        x = ((np.arange(width) + 0.5) - x0) / (x1 - x0) * 2 - 1
        y = ((np.arange(height) + 0.5) - y0) / (y1 - y0) * 2 - 1
        places = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)).float()[None]
        cells = torch.from_numpy(grid.reshape(1, 1, rows, columns))
        painted = functional.grid_sample(cells, places, mode=method, padding_mode="border", align_corners=False)
        unseen = (abs(x)[None, :] > 1) | (abs(y)[:, None] > 1)
        return np.where(unseen, np.float32(np.nan), painted[0, 0].numpy())


# Geometry of a family: (model config, image processor, (height, width) of the image) -> TokenGeometry.
GeometryRule = Callable[..., TokenGeometry]


def llava_geometry(config, image_processor, size: tuple[int, int]) -> TokenGeometry:
    """LLaVA-1.5: optionally padded to a square, resized, optionally centre-cropped, cut into patches.

    Resizing follows transformers: `shortest_edge` keeps the aspect and rounds the long side down. With the "full"
    feature selection the vision tower's class token comes first and stands for no place.
    """
    patch = config.vision_config.patch_size
    height, width = size
    left = top = 0.0  # of the image inside its padded square, then of the crop inside the resized picture
    if getattr(image_processor, "do_pad", False):
        side = max(size)
        left, top = -((side - width) // 2), -((side - height) // 2)
        height = width = side
    new_height, new_width = _resized((height, width), image_processor) if image_processor.do_resize else (height, width)
    crop_height, crop_width, crop_top, crop_left = new_height, new_width, 0, 0
    if image_processor.do_center_crop:
        crop_height, crop_width = (int(image_processor.crop_size[name]) for name in ("height", "width"))
        # Where the picture is smaller than the crop, zeros are padded, more of them behind.
        crop_top, crop_left = _offset(new_height, crop_height), _offset(new_width, crop_width)
    rows, columns = crop_height // patch, crop_width // patch
    x = left + (crop_left + patch * np.arange(columns + 1)) * width / new_width
    y = top + (crop_top + patch * np.arange(rows + 1)) * height / new_height
    boxes = np.stack([*np.meshgrid(x[:-1], y[:-1]), *np.meshgrid(x[1:], y[1:])], axis=-1).reshape(-1, 4)
    if config.vision_feature_select_strategy == "full":
        boxes = np.concatenate([np.full((1, 4), np.nan), boxes])
    return TokenGeometry(boxes, size)


def _resized(size: tuple[int, int], image_processor) -> tuple[int, int]:
    target = dict(image_processor.size)
    short = target.get("shortest_edge")
    if not short:
        return int(target["height"]), int(target["width"])
    height, width = size
    return (int(short * height / width), int(short)) if width <= height else (int(short), int(short * width / height))


def _offset(length: int, crop: int) -> int:
    return (length - crop) // 2 if length >= crop else -((crop - length) // 2)


# By `config.model_type`. To support another family, add a rule: GEOMETRIES["my_model"] = my_rule
GEOMETRIES: dict[str, GeometryRule] = {"llava": llava_geometry}


def token_geometry(config, image_processor, size: tuple[int, int], count: int) -> TokenGeometry:
    """The geometry of one image's tokens.

    Args:
        config: the model's configuration; its `model_type` names the family.
        size: (height, width) of the original image in pixels.
        count: how many image tokens the prompt holds for it.

    Raises:
        ValueError: for a family without a rule, or a rule that gives another number of tokens. Never a guess.
    """
    family = config.model_type
    if family not in GEOMETRIES:
        raise ValueError(
            f"expected a model of one of the families {sorted(GEOMETRIES)}, but got {family!r}: "
            "add its rule to pixfound_tasks.attention.geometry.GEOMETRIES"
        )
    geometry = GEOMETRIES[family](config, image_processor, size)
    if len(geometry.boxes) != count:
        raise ValueError(
            f"expected {len(geometry.boxes)} image tokens of {family!r} for an image of (height, width) {size}, "
            f"but the prompt holds {count}: the processor works otherwise than the rule in GEOMETRIES[{family!r}]"
        )
    return geometry
