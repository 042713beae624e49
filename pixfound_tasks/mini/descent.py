"""Steps of gradient descent, and a log of them."""

from __future__ import annotations

import time

import numpy as np
import torch
from loguru import logger
from torch import Tensor, nn


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rates to a factor of the initial ones."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * factor


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> None:
    """Take one step, with gradients clipped to a norm of 1."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


class Progress:
    """Logs the mean loss and the elapsed time every hundred steps."""

    def __init__(self, name: str, steps: int):
        self.name, self.steps, self.start = name, steps, time.monotonic()
        self.losses: list[float] = []

    def report(self, loss: float) -> None:
        self.losses.append(loss)
        step = len(self.losses)
        if step % 100 == 0 or step == self.steps:
            seconds = time.monotonic() - self.start
            self.note(f"{step}/{self.steps}: loss {np.mean(self.losses[-100:]):.4f}, {seconds:.0f} s")

    def note(self, text: str) -> None:
        logger.info(f"{self.name} {text}")
