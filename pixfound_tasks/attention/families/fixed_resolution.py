"""Families that see every image as one square of fixed size, or as several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pixfound_tasks.attention.families.dynamic_resolution import Region, patch_boxes, pixtral_geometry, whole
from pixfound_tasks.attention.geometry import Size

if TYPE_CHECKING:
    from jaxtyping import Float64

    from pixfound_tasks.attention.families.registry import Settings

PAN_AND_SCAN = ("pan_and_scan_min_crop_size", "pan_and_scan_max_num_crops", "pan_and_scan_min_ratio_to_activate")


def llava_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """LLaVA-1.5: optionally padded to a square, resized, optionally center-cropped, and cut into patches.

    Resizing follows transformers: `shortest_edge` keeps the aspect ratio and rounds the long side down. With the "full"
    feature selection, the vision tower's class token comes first and has no position (NaN). Pixtral has the same
    `model_type`, but its own tower and processor.
    """
    if config.vision_config.model_type == "pixtral":
        return pixtral_geometry(config, settings, size)
    height, width = size
    left = top = 0.0  # offset of the padded square relative to the image
    if settings.do_pad:
        side = max(size)
        left, top = -((side - width) // 2), -((side - height) // 2)
        height = width = side
    new_height, new_width = _resized((height, width), settings) if settings.do_resize else (height, width)
    crop_height, crop_width, crop_top, crop_left = new_height, new_width, 0, 0
    if settings.do_center_crop:
        crop_height, crop_width = (int(settings.crop_size[name]) for name in ("height", "width"))
        # If the resized image is smaller than the crop, it is padded with zeros, more of them at the end.
        crop_top, crop_left = _offset(new_height, crop_height), _offset(new_width, crop_width)
    scale_x, scale_y = width / new_width, height / new_height
    x0, y0 = left + crop_left * scale_x, top + crop_top * scale_y
    region = (x0, y0, x0 + crop_width * scale_x, y0 + crop_height * scale_y)
    boxes = patch_boxes((crop_height, crop_width), config.vision_config.patch_size, region)
    if config.vision_feature_select_strategy == "full":
        boxes = np.concatenate([np.full((1, 4), np.nan), boxes])
    return boxes


def paligemma_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """PaliGemma: resized to a square, ignoring the aspect ratio, and cut into patches.

    Each patch is one token. There is no class token.
    """
    resized = _resized(size, settings) if settings.do_resize else size
    return patch_boxes(resized, config.vision_config.patch_size, whole(size))


def gemma3_geometry(config: Any, settings: Settings, size: Size) -> Float64[np.ndarray, "tokens 4"]:
    """Gemma 3: resized to a square, ignoring the aspect ratio, and cut into patches.

    Squares of patches are pooled into tokens. With pan and scan, the crops of an elongated image follow the whole image
    and are processed in the same way.
    """
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    pooled = side // patch // int(config.mm_tokens_per_image**0.5)
    regions = [whole(size), *(_crops(settings, size) if settings.do_pan_and_scan else ())]
    return np.concatenate([patch_boxes((side, side), patch * pooled, region) for region in regions])


def _crops(settings: Settings, size: Size) -> list[Region]:
    """Return the regions of pan and scan.

    The processor itself cuts them, from images whose pixel values are their own coordinates.
    """
    cut = settings.pan_and_scan_batched or settings.pan_and_scan  # names in the torchvision and in the PIL processor
    limits = {name: getattr(settings, name) for name in PAN_AND_SCAN}
    y, x = (cut(np.broadcast_to(axis, (3, *size)), **limits) for axis in np.ogrid[: size[0], : size[1]])
    return [(cx[0, 0, 0], cy[0, 0, 0], cx[0, -1, -1] + 1, cy[0, -1, -1] + 1) for cx, cy in zip(x, y)]


def _resized(size: Size, settings: Settings) -> Size:
    target = dict(settings.size)
    short = target.get("shortest_edge")
    if not short:
        return int(target["height"]), int(target["width"])
    height, width = size
    return (int(short * height / width), int(short)) if width <= height else (int(short), int(short * width / height))


def _offset(length: int, crop: int) -> int:
    return (length - crop) // 2 if length >= crop else -((crop - length) // 2)
