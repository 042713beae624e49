"""The sizes and tiles to which transformers' image processors resize and cut an image.

Each processor computes them in a function of its own file, which is not documented but is the only exact source.

| called | of | seen in |
|---|---|---|
| `smart_resize` | `models.qwen2_vl.image_processing_qwen2_vl`, `models.glm4v.image_processing_glm4v` | 5.1 to 5.24 |
| `smart_resize` | `models.paddleocr_vl.image_processing_paddleocr_vl` | 5.1, 5.24 |
| `get_resize_output_image_size` | `models.pixtral.image_processing_pixtral` | 5.1 to 5.24 |
| `get_resize_output_image_size` | `models.idefics3.image_processing_idefics3` | 5.1 to 5.24 |
| `select_best_resolution`, `get_patch_output_size` | `image_processing_utils` | 5.1 to 5.24 |
| `unpad_image` | `models.llava_next.modeling_llava_next` | 5.1 to 5.24 |
| `get_optimal_tiled_canvas` | `models.got_ocr2.image_processing_got_ocr2` (InternVL) | 5.1 to 5.24 |
| `get_optimal_tiled_canvas`, `get_image_size_fit_to_canvas` | `models.mllama.image_processing_mllama` | 5.1 to 5.24 |

Sizes are (height, width) in pixels. The files are slow to import, so each function imports its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Size = tuple[int, int]  # (height, width) in pixels


def qwen2_vl_size(size: Size, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """Return the size with sides that are multiples of `factor`, and an area within the limits."""
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    return smart_resize(*size, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)


def paddleocr_vl_size(size: Size, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """Return the size as Qwen2-VL's, but of an image that is enlarged before if a side is shorter than `factor`."""
    from transformers.models.paddleocr_vl.image_processing_paddleocr_vl import smart_resize

    return smart_resize(*size, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)


def glm4v_size(size: Size, frames: int, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """Return the size with sides that are multiples of `factor`, and an area times `frames` within the limits."""
    from transformers.models.glm4v.image_processing_glm4v import smart_resize

    return smart_resize(
        frames, *size, temporal_factor=frames, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels
    )


def pixtral_size(size: Size, limit: Size, patch: int) -> Size:
    """Return the size within `limit`, with sides that are multiples of `patch`."""
    from transformers.models.pixtral.image_processing_pixtral import get_resize_output_image_size

    return get_resize_output_image_size(_blank(3, *size), limit, patch, "channels_first")


def idefics3_size(size: Size, longest: int) -> Size:
    """Return the size with a longest side of `longest` pixels."""
    from transformers.models.idefics3.image_processing_idefics3 import get_resize_output_image_size

    return get_resize_output_image_size(_blank(3, *size), longest)


def anyres_sizes(size: Size, canvases: Sequence[Sequence[int]]) -> tuple[Size, Size]:
    """Return the canvas that wastes the fewest pixels, and the size that the image is resized to on it."""
    from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
    from transformers.image_utils import ChannelDimension

    canvas = select_best_resolution(size, canvases)
    return canvas, get_patch_output_size(_blank(*size), canvas, ChannelDimension.FIRST)


def unpadded(patches: np.ndarray, size: Size) -> np.ndarray:
    """Return patches, (rows, columns, channels), without those that LLaVA-NeXT removes as padding of the image."""
    import torch
    from transformers.models.llava_next.modeling_llava_next import unpad_image

    return unpad_image(torch.from_numpy(patches).permute(2, 0, 1), size).permute(1, 2, 0).numpy()


def internvl_tiles(size: Size, tile: Size, min_tiles: int, max_tiles: int) -> tuple[int, int]:
    """Return the rows and columns of tiles with the aspect ratio nearest to that of the image."""
    from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas

    columns, rows = get_optimal_tiled_canvas(size, tile, min_tiles, max_tiles)
    return rows, columns


def mllama_sizes(size: Size, tile: int, max_tiles: int) -> tuple[Size, Size]:
    """Return the canvas of square tiles, and the size that the image is resized to on it."""
    from transformers.models.mllama.image_processing_mllama import (
        get_image_size_fit_to_canvas,
        get_optimal_tiled_canvas,
    )

    canvas = get_optimal_tiled_canvas(*size, max_tiles, tile)
    return canvas, get_image_size_fit_to_canvas(*size, *canvas, tile)


def _blank(*shape: int) -> np.ndarray:
    """Return an array that stands in for an image of which only the shape is read. It takes no memory."""
    return np.broadcast_to(0, shape)
