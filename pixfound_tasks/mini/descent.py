"""Steps of gradient descent, and a log of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from loguru import logger
from torch import Tensor, nn

KEEP_EVERY = 100  # steps


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


class Pause:
    """A file that an interrupted stage goes on from, without a change of the result.

    It has the modules' and the optimizer's state after a step. Without a path, nothing is written.
    """

    def __init__(self, path: Path | None, modules: Sequence[nn.Module], optimizer: torch.optim.Optimizer) -> None:
        self.path, self.modules, self.optimizer = path, modules, optimizer

    def resume(self) -> int:
        """Load the file if there is one, and return the number of steps that were taken."""
        if self.path is None or not self.path.exists():
            return 0
        kept = torch.load(self.path, map_location="cpu", weights_only=True)
        for module, state in zip(self.modules, kept["modules"], strict=True):
            module.load_state_dict(state)
        self.optimizer.load_state_dict(kept["optimizer"])
        return int(kept["steps"])

    def keep(self, steps: int) -> None:
        """Write the file after every `KEEP_EVERY` steps."""
        if self.path is None or steps % KEEP_EVERY:
            return
        beside = self.path.with_suffix(".new")
        states = [module.state_dict() for module in self.modules]
        torch.save({"modules": states, "optimizer": self.optimizer.state_dict(), "steps": steps}, beside)
        beside.replace(self.path)


class Progress:
    """Logs the mean loss and the elapsed time every hundred steps."""

    def __init__(self, name: str, steps: int, taken: int = 0):
        self.name, self.steps, self.taken, self.start = name, steps, taken, time.monotonic()
        self.losses: list[float] = []

    def report(self, loss: float) -> None:
        self.losses.append(loss)
        step = self.taken + len(self.losses)
        if step % 100 == 0 or step == self.steps:
            seconds = time.monotonic() - self.start
            self.note(f"{step}/{self.steps}: loss {np.mean(self.losses[-100:]):.4f}, {seconds:.0f} s")

    def note(self, text: str) -> None:
        logger.info(f"{self.name} {text}")
