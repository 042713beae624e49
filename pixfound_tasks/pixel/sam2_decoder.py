"""SAM 2 as the mask decoder of Sa2VA and RGA3: each mask token's embedding is a prompt of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from pixfound_tasks.pixel.base import Drawing
from pixfound_tasks.pixel.device_pixels import by_channel, device_pixels
from pixfound_tasks.pixel.sam2_weights import SIDE

if TYPE_CHECKING:
    from jaxtyping import Float, Float32

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Without points, Meta's code pads twice: it makes an empty point, and adds another because there is no box.
_PADDING = 2


@dataclass(frozen=True)
class Normalization:
    """Pixels of 0 to 255 are divided by `scale`, then `mean` is subtracted, and the rest is divided by `std`.

    The three steps are done in float32, in this order, because the authors' digits depend on it.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


# Sa2VA rounds SAM 2's mean and deviation to bfloat16, whatever the dtype of the model.
SA2VA = Normalization(
    255.0, *(tuple(torch.tensor(values, dtype=torch.bfloat16).float().tolist()) for values in (_MEAN, _STD))
)
RGA3 = Normalization(1.0, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


class Sam2Decoder:
    """Draws masks with a `Sam2Model`: the candidate with the highest predicted IoU counts, even without an object.

    Args:
        sam: the model, on one device.
        normalization: of the pixels that SAM 2 sees.
    """

    def __init__(self, sam: Any, normalization: Normalization) -> None:
        self.sam, self.normalization = sam, normalization

    @torch.inference_mode()
    def draw(self, image: Image.Image, embeddings: Float[Tensor, "masks prompt_width"]) -> Drawing:
        """Return one mask for each embedding; a pixel is in the mask if its logit is above 0."""
        sam = self.sam
        weight = sam.mask_decoder.iou_token.weight
        pixels = sam2_pixels(image, self.normalization, weight.device)[None].to(weight.dtype)
        *fine, coarse = sam.get_image_embeddings(pixels)
        padding = sam.prompt_encoder.not_a_point_embed.weight.expand(len(embeddings), _PADDING, -1)
        sparse = torch.cat([padding, embeddings.to(padding)[:, None]], dim=1)
        _, dense = sam.prompt_encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
        low, iou, *_ = sam.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=sam.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=sparse[None],
            dense_prompt_embeddings=dense,
            multimask_output=True,
            high_resolution_features=fine,
        )
        chosen = iou[0].argmax(dim=-1)  # low: 1, masks, candidates, height, width
        rows = torch.arange(len(chosen), device=chosen.device)
        low = low[0, rows, chosen].float()[:, None]
        logits = functional.interpolate(low, (SIDE, SIDE), mode="bilinear", align_corners=False)
        logits = functional.interpolate(logits, (image.height, image.width), mode="bilinear", align_corners=False)
        return Drawing(
            (logits[:, 0] > 0).cpu().numpy(),
            low[:, 0].cpu().numpy(),
            iou[0, rows, chosen].float().cpu().numpy(),
            tuple(chosen.tolist()),
        )


def sam2_pixels(
    image: Image.Image, normalization: Normalization, device: torch.device | str = "cpu"
) -> Float32[Tensor, "3 side side"]:
    """Return the pixels that SAM 2 sees of an RGB image: stretched to a square, and normalized."""
    pixels = device_pixels(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), device)
    mean, std = (by_channel(values, device) for values in (normalization.mean, normalization.std))
    return (pixels / normalization.scale - mean) / std
