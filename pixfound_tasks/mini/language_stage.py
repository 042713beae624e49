"""The later stages of training: answers to prompts, and for one of the models masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pixfound_tasks.mini.batches import SEEDS, Seeded, moved, pixel_values
from pixfound_tasks.mini.descent import Pause, Progress, descend, set_rate
from pixfound_tasks.mini.dialogues import sample_dialogues, segment
from pixfound_tasks.mini.mask_decoder import MaskHead, mask_loss, mask_targets, sam_pixels
from pixfound_tasks.mini.packing import IGNORED, Packed, pack
from pixfound_tasks.mini.scenes import draw, sample_scene


@dataclass(frozen=True)
class Stage:
    """One training stage.

    `shares` maps tasks to their probabilities. `rate` and `vision_rate` are learning rates. If `falls` is true, the
    learning rates fall to zero. Each step uses `scenes` scenes with `dialogues` prompts each, and `masks` prompts for
    masks if the model has a mask decoder.
    """

    name: str
    steps: int
    shares: dict[str, float]
    rate: float = 8e-4
    vision_rate: float = 4e-4
    falls: bool = False
    scenes: int = 10
    dialogues: int = 12
    masks: int = 3


class Batch(NamedTuple):
    """One step's inputs. The last three are None for a model without a mask decoder."""

    packed: Packed
    pixels: Tensor
    sam_pixels: Tensor | None
    targets: Tensor | None
    known: Tensor | None


def talk(
    model: Any,
    tokenizer: Any,
    stage: Stage,
    seed: int,
    steps: int,
    workers: int,
    head: MaskHead | None = None,
    pause: Path | None = None,
) -> None:
    """Train on packed dialogues, and with `head` on masks too. The language prompts are the same with and without.

    `pause` is the file that an interrupted stage goes on from, see `descent.Pause`.
    """
    vision = list(model.model.vision_tower.parameters())
    language = [weight for name, weight in model.named_parameters() if "vision_tower" not in name]
    masks = list(head.parameters()) if head else []
    groups = [{"params": [*language, *masks], "lr": stage.rate}, {"params": vision, "lr": stage.vision_rate}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.02)
    kept = Pause(pause, [model, *([head] if head else [])], optimizer)
    taken = kept.resume()
    progress, masked = Progress(stage.name, steps, taken), Progress(f"{stage.name}, masks:", steps, taken)
    draw_batch = partial(sample_batch, tokenizer, stage, head is not None)
    batches = Seeded(draw_batch, (seed, SEEDS[stage.name]), range(taken, steps), workers)
    for step, drawn_batch in enumerate(batches, taken):
        batch = moved(drawn_batch, model.device)
        fall = (1 + math.cos(math.pi * step / steps)) / 2 if stage.falls else 1
        set_rate(optimizer, min(1, (step + 1) / 100) * fall)
        labels = batch.packed.labels[:, 1:]
        answered = labels != IGNORED
        with torch.autocast(model.device.type, torch.bfloat16):
            states = model.model(**batch.packed.inputs, pixel_values=batch.pixels, use_cache=False).last_hidden_state
            logits = model.lm_head(states[:, :-1][answered])
        loss = functional.cross_entropy(logits.float(), labels[answered])
        progress.report(loss.item())
        if head is not None:
            rows, places = batch.packed.mask_states.unbind(1)
            with torch.autocast(model.device.type, torch.bfloat16):
                drawn = head(batch.sam_pixels, rows, states[rows, places])
            of_masks = mask_loss(drawn.float(), batch.targets, batch.known)
            masked.report(of_masks.item())
            loss = loss + of_masks
        descend(loss, optimizer, [*language, *masks, *vision])
        kept.keep(step + 1)


def sample_batch(tokenizer: Any, stage: Stage, with_masks: bool, rng: np.random.RandomState) -> Batch:
    """Draw the scenes and prompts of one step. Prompts for masks are drawn last, so they change none of the others."""
    scenes = [sample_scene(rng) for _ in range(stage.scenes)]
    drawings = [draw(scene) for scene in scenes]
    images = [drawing.image for drawing in drawings]
    asked = [sample_dialogues(scene, rng, stage.shares, stage.dialogues) for scene in scenes]
    if not with_masks:
        return Batch(pack(tokenizer, asked), pixel_values(images), None, None, None)
    prompts = [[segment(scene, rng) for _ in range(stage.masks)] for scene in scenes]
    masks = [
        drawing.mask(scene, dialogue.target.things, dialogue.target.part)
        for scene, drawing, row in zip(scenes, drawings, prompts)
        for dialogue in row
        if dialogue.target
    ]
    packed = pack(tokenizer, [a + b for a, b in zip(asked, prompts)])
    return Batch(packed, pixel_values(images), sam_pixels(images), *mask_targets(masks))
