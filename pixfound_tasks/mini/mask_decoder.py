"""The mask half of `pixfound/mini-seg`: a tiny SAM, and the projection from `[SEG]` states to its prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from pixfound_tasks.mini.model import WIDTH

SIDE = 128  # pixels of SAM's input; masks have half of them
PROMPT_WIDTH = 64
_PATCH = 8
_MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
_STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


class MaskHead(nn.Module):
    """A SAM whose prompts are projected hidden states, one state for each mask."""

    def __init__(self) -> None:
        super().__init__()
        vision = SamVisionConfig(
            hidden_size=96, output_channels=PROMPT_WIDTH, num_hidden_layers=3, num_attention_heads=4, image_size=SIDE,
            patch_size=_PATCH, window_size=14, global_attn_indexes=[0, 1, 2], mlp_dim=192,
            num_pos_feats=PROMPT_WIDTH // 2, initializer_range=0.02,
        )  # fmt: skip
        prompt = SamPromptEncoderConfig(
            hidden_size=PROMPT_WIDTH, image_size=SIDE, patch_size=_PATCH, image_embedding_size=SIDE // _PATCH,
            mask_input_channels=4,
        )  # fmt: skip
        decoder = SamMaskDecoderConfig(
            hidden_size=PROMPT_WIDTH, mlp_dim=128, num_attention_heads=8, iou_head_hidden_dim=32, layer_norm_eps=1e-5
        )
        self.sam = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder))
        self.projection = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, PROMPT_WIDTH))

    def forward(self, pixels: Tensor, rows: Tensor, states: Tensor) -> Tensor:
        """Return the logits of one mask for each state, float32 (masks, 64, 64).

        `pixels` is (images, 3, 128, 128). `rows` has the image of each state, `states` is (masks, width).
        """
        features = self.sam.vision_encoder(pixels).last_hidden_state[rows]
        size = features.shape[-2:]
        dense = self.sam.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(len(rows), -1, *size)
        positions = self.sam.get_image_wide_positional_embeddings().expand(len(rows), -1, -1, -1)
        prompts = self.projection(states)[:, None, None]
        logits, _ = self.sam.mask_decoder(features, positions, prompts, dense, multimask_output=False)[:2]
        return logits[:, 0, 0]


def sam_pixels(images: Sequence[np.ndarray]) -> Tensor:
    """Return SAM's preprocessing of uint8 (height, width, 3) RGB images: float32 (images, 3, 128, 128)."""
    padded = torch.zeros(len(images), 3, SIDE, SIDE)
    for canvas, image in zip(padded, images):
        height, width = resized(image.shape[:2])
        pixels = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        canvas[:, :height, :width] = (torch.from_numpy(pixels.copy()).permute(2, 0, 1) - _MEAN) / _STD
    return padded


def mask_targets(masks: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return the covered fraction of each low-resolution pixel, and whether it is in the image.

    Both are float32 (masks, 64, 64). The masks are bool (height, width).
    """
    targets, known = (torch.zeros(len(masks), 1, SIDE, SIDE) for _ in range(2))
    for target, inside, mask in zip(targets, known, masks):
        height, width = resized(mask.shape)
        full = torch.from_numpy(mask).float()[None, None]
        fitted = functional.interpolate(full, (height, width), mode="bilinear", antialias=True)
        target[:, :height, :width], inside[:, :height, :width] = fitted[0], 1
    return functional.avg_pool2d(targets, 2)[:, 0], functional.avg_pool2d(known, 2)[:, 0]


def mask_loss(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Return LISA's loss of masks: twice the cross entropy, and half the Dice loss."""
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    entropy = (entropy * known).sum((1, 2)) / known.sum((1, 2))
    chances = logits.sigmoid() * known
    dice = 1 - (2 * (chances * targets).sum((1, 2)) + 1) / (chances.sum((1, 2)) + targets.sum((1, 2)) + 1)
    return 2 * entropy.mean() + 0.5 * dice.mean()


def resized(size: tuple[int, ...]) -> tuple[int, int]:
    """Return the height and width of an image whose longest side is scaled to SAM's."""
    scale = SIDE / max(size[:2])
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)
