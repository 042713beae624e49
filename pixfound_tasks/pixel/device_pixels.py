"""Sends images to the device as bytes: what is computed of every pixel takes longer on a CPU than on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float32


def device_pixels(image: Image.Image, device: torch.device | str) -> Float32[Tensor, "3 height width"]:
    """Return the values of an RGB image, 0 to 255, on a device."""
    values = torch.from_numpy(np.array(image, np.uint8)).to(device)
    return values.permute(2, 0, 1).contiguous().float()


def by_channel(values: tuple[float, ...], device: torch.device | str) -> Float32[Tensor, "3 1 1"]:
    """Return one value for each channel, to be computed with the pixels of an image."""
    return torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]
