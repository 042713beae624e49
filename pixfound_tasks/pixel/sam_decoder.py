"""SAM as the mask decoder of LISA and GLaMM: each mask token's embedding is a prompt of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from pixfound_tasks.pixel.base import Drawing
from pixfound_tasks.pixel.device_pixels import by_channel, device_pixels

if TYPE_CHECKING:
    from jaxtyping import Float, Float32

# Of the values 0 to 255 of red, green and blue.
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class SamDecoder:
    """Draws masks with a `SamModel`: the embedding is the only sparse prompt, and the first mask token's mask is taken.

    Args:
        sam: the model, on one device.
    """

    def __init__(self, sam: Any) -> None:
        self.sam: nn.Module | Any = sam

    @torch.inference_mode()
    def draw(self, image: Image.Image, embeddings: Float[Tensor, "masks prompt_width"]) -> Drawing:
        """Return one mask for each embedding; a pixel is in the mask if its logit is above 0."""
        sam = self.sam
        weight = sam.mask_decoder.iou_token.weight
        side = sam.config.vision_config.image_size
        size = resized((image.height, image.width), side)
        pixels = sam_pixels(image, side, weight.device)[None].to(weight.dtype)
        _, dense = sam.prompt_encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
        low, iou = sam.mask_decoder(
            image_embeddings=sam.get_image_embeddings(pixels),
            image_positional_embeddings=sam.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=embeddings.to(weight.device, weight.dtype)[None, :, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        low = low[0].float()  # masks, 1, height, width
        logits = functional.interpolate(low, (side, side), mode="bilinear", align_corners=False)
        logits = logits[..., : size[0], : size[1]]
        logits = functional.interpolate(logits, (image.height, image.width), mode="bilinear", align_corners=False)
        return Drawing(
            (logits[:, 0] > 0).cpu().numpy(), low[:, 0].cpu().numpy(), iou[0, :, 0].float().cpu().numpy(), None
        )


def resized(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size, (height, width), with its longest side at `side`, both rounded to the nearest pixel."""
    scale = side / max(size)
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def sam_pixels(image: Image.Image, side: int, device: torch.device | str = "cpu") -> Float32[Tensor, "3 {side} {side}"]:
    """Return the pixels that SAM sees of an RGB image: resized, normalized, and then padded with zeros."""
    height, width = resized((image.height, image.width), side)
    pixels = device_pixels(image.resize((width, height), Image.Resampling.BILINEAR), device)
    padded = torch.zeros(3, side, side, device=device)
    padded[:, :height, :width] = (pixels - by_channel(_MEAN, device)) / by_channel(_STD, device)
    return padded
