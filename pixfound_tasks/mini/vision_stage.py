"""The first stage of training: the vision tower learns what is in each patch, with temporary linear heads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pixfound_tasks.mini.batches import SEEDS, Seeded, moved, pixel_values
from pixfound_tasks.mini.descent import Progress, descend, set_rate
from pixfound_tasks.mini.model import GRID, WIDTH
from pixfound_tasks.mini.scenes import Drawing, Scene, draw, sample_scene
from pixfound_tasks.mini.things import COLORS, EXTRA_PART, FORMS, KINDS, LETTERS, PARTS, SECOND_PART, STATES, VIEWS

SCENES = 32
ALL_PARTS = ("none", *dict.fromkeys(part for parts in PARTS.values() for part in parts))
# Classes of each property: kind, color, second color, facing, state, form, view, extra part, letter, cell, part.
HEADS = (len(KINDS), len(COLORS), len(COLORS), 2, 2, 2, 2, 2, len(LETTERS), 9, len(ALL_PARTS), 2)
_IGNORED = -100


class Round(NamedTuple):
    """A round of the stage, with heads of its own. `weights` are those of the properties' losses."""

    name: str
    steps: int
    rate: float
    weights: tuple[float, ...] = (1.0,) * len(HEADS)


# Which way a thing faces and what it lacks are learned last.
ROUNDS = (Round("see", 2000, 2e-3), Round("see more", 600, 1.6e-3, (1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 1)))


def see(model: Any, stage: Round, seed: int, steps: int, workers: int) -> None:
    """Train the vision tower and the projector on what is in each patch. Nothing else is learned without this stage."""
    device = model.device
    head = nn.Linear(WIDTH, sum(HEADS)).to(device)
    shares = torch.tensor(stage.weights, device=device)
    weights = [
        *model.model.vision_tower.parameters(),
        *model.model.multi_modal_projector.parameters(),
        *head.parameters(),
    ]
    optimizer = torch.optim.AdamW(weights, lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02)
    progress = Progress(stage.name, steps)
    batches = Seeded(_batch, (seed, SEEDS[stage.name]), range(steps), workers)
    for step, batch in enumerate(batches):
        pixels, labels = moved(batch, device)
        set_rate(optimizer, min(1, (step + 1) / 100) * min(1, 2 * (1 - step / steps) + 0.02))
        logits = head(image_features(model, pixels)).split(HEADS, dim=-1)
        losses = [
            functional.cross_entropy(found.movedim(-1, 1), labels[..., i], ignore_index=_IGNORED)
            for i, found in enumerate(logits)
        ]
        loss = (torch.stack(losses).nan_to_num() * shares).sum()
        descend(loss, optimizer, weights)
        progress.report(loss.item())
    progress.note("loss by property: " + " ".join(f"{loss.item():.3f}" for loss in losses))


def _batch(rng: np.random.RandomState) -> tuple[Tensor, Tensor]:
    scenes = [sample_scene(rng, int(rng.randint(2, 6))) for _ in range(SCENES)]
    drawings = [draw(scene) for scene in scenes]
    labels = np.stack([patch_labels(scene, drawing) for scene, drawing in zip(scenes, drawings)])
    return pixel_values([drawing.image for drawing in drawings]), torch.from_numpy(labels)


def patch_labels(scene: Scene, drawing: Drawing) -> np.ndarray:
    """Return the classes of what covers most of each patch, int (patches, heads). -100 is not to be learned.

    A thing must cover at least 15 % of the patch. The last head says whether one does.
    """
    height, width = drawing.owner.shape
    rows = np.arange(height) * GRID // height
    columns = np.arange(width) * GRID // width
    patch = rows[:, None] * GRID + columns[None, :]
    size = np.bincount(patch.ravel(), minlength=GRID**2)
    cover = np.stack(
        [np.bincount(patch[drawing.owner == i], minlength=GRID**2) for i in range(len(scene.things))]
    )  # things, patches
    owner = np.where(cover.max(0) >= 0.15 * size, cover.argmax(0), -1)
    table = np.asarray([_labels(scene, i) for i in range(len(scene.things))] + [[_IGNORED] * 12])
    labels = table[owner]
    labels[:, 11] = owner >= 0
    for index, thing in enumerate(scene.things):
        own = drawing.owner == index
        parts = np.stack(
            [
                np.bincount(patch[own & (drawing.part == part)], minlength=GRID**2)
                for part in range(-1, len(PARTS[thing.kind]))
            ]
        )
        names = np.asarray([ALL_PARTS.index(part) for part in ("none", *PARTS[thing.kind])])
        labels[owner == index, 10] = names[parts.argmax(0)][owner == index]
    return labels


def _labels(scene: Scene, index: int) -> list[int]:
    thing = scene.things[index]
    clear = scene.is_clear(index)
    faces = thing.kind == "fish" or (thing.kind == "car" and not thing.view) or (thing.kind == "cup" and thing.extra)
    row, column = scene.cell(thing)

    def known(value: int, is_known: bool) -> int:
        return int(value) if is_known and clear else _IGNORED

    return [
        KINDS.index(thing.kind),
        list(COLORS).index(thing.color),
        known(list(COLORS).index(thing.second), thing.kind in SECOND_PART),
        known(thing.faces_right, faces),
        known(thing.state, thing.kind in STATES),
        known(thing.form, thing.kind in FORMS),
        known(thing.view, thing.kind in VIEWS),
        known(thing.extra, thing.kind in EXTRA_PART),
        known(list(LETTERS).index(thing.letter), thing.kind == "sign"),
        3 * row + column,
        0,
        1,
    ]


def image_features(model: Any, pixels: Tensor) -> Tensor:
    """Return the projected image tokens, float32 (images, tokens, width)."""
    features = model.get_image_features(pixels, vision_feature_layer=-1, vision_feature_select_strategy="default")
    return torch.stack(list(features.pooler_output))
