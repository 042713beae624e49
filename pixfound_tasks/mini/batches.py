"""Training batches. Each depends on the seed and its step only, so that both models see the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pixfound_tasks.mini.tokenizer import SIZE

SEEDS = {"see": 1, "talk": 2, "choose": 4, "see more": 5}  # of the stages
_CLIP_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
_CLIP_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)


class Seeded(Dataset):
    """Batches by step. If there are `workers`, these processes draw them, which changes none of them."""

    def __init__(
        self, draw: Callable[[np.random.RandomState], Any], seed: tuple[int, int], steps: range, workers: int
    ) -> None:
        self.draw, self.seed, self.steps, self.workers = draw, seed, steps, workers

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Any:
        return self.draw(np.random.RandomState([*self.seed, self.steps[index]]))

    def __iter__(self) -> Iterator[Any]:
        if not self.workers:
            return (self[index] for index in range(len(self)))
        setup = partial(_limit_threads)
        return iter(DataLoader(self, batch_size=None, num_workers=self.workers, worker_init_fn=setup))


def _limit_threads(_: int) -> None:
    torch.set_num_threads(1)


def moved(batch: Any, device: torch.device) -> Any:
    """Return the batch on the device. A batch is a tensor, None, or a tuple, list or dict of batches."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {name: moved(part, device) for name, part in batch.items()}
    if isinstance(batch, (tuple, list)):
        parts = [moved(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else parts
    return batch


def pixel_values(images: Sequence[np.ndarray]) -> Tensor:
    """Return CLIP's preprocessing of uint8 (height, width, 3) RGB images: float32 (images, 3, 120, 120)."""
    squares = [np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for image in images]
    pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
    return (pixels.float() / 255 - _CLIP_MEAN) / _CLIP_STD
