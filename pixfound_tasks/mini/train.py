"""Train the embedded model from scratch: `python -m pixfound_tasks.mini.train --out FOLDER`.

Training has four stages on scenes drawn on the fly. It takes about 35 minutes on one core.

1. `see`: the vision tower learns the color, shape, size, orientation and cell of the shape in each patch. Without this
   stage, nothing else is learned in reasonable time.
2. `talk`: mostly descriptions and referring expressions.
3. `ask`: more questions, and a helper task whose prompt contains the answer.
4. `choose`: mostly choice questions, while the learning rate falls to zero.

No stage supervises attention. That attention grounds objects is not a training objective.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loguru import logger
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from pixfound_tasks.mini.dialogues import Dialogue, sample_dialogues
from pixfound_tasks.mini.model import GRID, WIDTH, build_model
from pixfound_tasks.mini.scenes import COLORS, SHAPES, Drawing, Scene, Shape, draw, sample_scene
from pixfound_tasks.mini.tokenizer import PATCH, build_processor

SEED = 20250207
THREADS = 1  # more threads change the order of sums, and so the weights
_IGNORED = -100


@dataclass(frozen=True)
class Stage:
    """One training stage.

    `shares` maps tasks to their probabilities. `rate` and `vision_rate` are learning rates. If `falls` is true, the
    learning rates fall to zero. Each step uses `scenes` scenes with `dialogues` prompts each.
    """

    name: str
    steps: int
    shares: dict[str, float]
    rate: float
    vision_rate: float
    falls: bool = False
    scenes: int = 10
    dialogues: int = 8


SEE_STEPS, SEE_SCENES, SEE_RATE = 1600, 32, 2e-3
STAGES = (
    Stage(
        "talk", 700, rate=1.2e-3, vision_rate=3e-4,
        shares={
            "identify": 0.28, "several": 0.05, "absent": 0.06, "where": 0.20, "describe": 0.14, "choice": 0.15,
            "open": 0.12,
        },
    ),
    Stage(
        "ask", 1300, rate=1.2e-3, vision_rate=3e-4,
        shares={
            "identify": 0.21, "several": 0.06, "absent": 0.07, "where": 0.05, "describe": 0.05, "choice": 0.26,
            "open": 0.22, "match": 0.08,
        },
    ),
    Stage(
        "choose", 2200, rate=1.2e-3, vision_rate=3e-4, falls=True,
        shares={
            "identify": 0.19, "several": 0.04, "absent": 0.06, "where": 0.02, "describe": 0.03, "choice": 0.42,
            "open": 0.24,
        },
    ),
)  # fmt: skip


def main() -> None:
    """Train the embedded model and save it after each of the stages `talk`, `ask` and `choose`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, tokenizer and processor")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the steps to run (small values test the script)"
    )
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    rng = np.random.RandomState(SEED)
    processor = build_processor()
    model = build_model(processor.tokenizer)
    see(model, rng, int(SEE_STEPS * options.scale))
    for stage in STAGES:
        talk(model, processor, rng, stage, int(stage.steps * options.scale))
        save(model, processor, options.out)


def save(model: Any, processor: Any, folder: Path) -> None:
    """Save the model in half precision, with all files that `AutoModelForImageTextToText` and `AutoProcessor` need."""
    weights = {name: weight.half() for name, weight in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights)
    processor.save_pretrained(folder)
    _name_as_checkpoints_do(folder / "model.safetensors")


def _name_as_checkpoints_do(file: Path) -> None:
    """Rename the vision tower's weights to names that all releases of transformers can read.

    From 5.6 on, transformers writes other names.
    """
    tower, full = "vision_tower.", "vision_tower.vision_model."
    weights = {name.replace(full, tower).replace(tower, full): weight for name, weight in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})


# Stage 1: the content of each patch.

_HEADS = (1 + len(COLORS), 1 + len(SHAPES), 3, 3, 10)  # classes per property; class 0 means "no shape"


def see(model: Any, rng: np.random.RandomState, steps: int) -> None:
    """Pretrain the vision tower and the projector with a temporary linear head on every patch."""
    head = nn.Linear(WIDTH, sum(_HEADS))
    weights = [
        *model.model.vision_tower.parameters(),
        *model.model.multi_modal_projector.parameters(),
        *head.parameters(),
    ]
    optimizer = torch.optim.AdamW(weights, lr=SEE_RATE, betas=(0.9, 0.98), weight_decay=0.02)
    progress = Progress("see", steps)
    for step in range(steps):
        _set_rate(optimizer, min(1, (step + 1) / 100) * min(1, 2 * (1 - step / steps) + 0.02))
        scenes = [sample_scene(rng, int(rng.randint(2, 6))) for _ in range(SEE_SCENES)]
        drawings = [draw(scene) for scene in scenes]
        labels = torch.from_numpy(np.stack([patch_labels(s, d) for s, d in zip(scenes, drawings)]))
        logits = head(image_features(model, pixel_values(drawings))).split(_HEADS, dim=-1)
        loss = sum(_patch_loss(found, labels[..., i]) for i, found in enumerate(logits))
        _descend(loss, optimizer, weights)
        progress.report(step, loss.item())


def _patch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy. Patches without a shape have a weight of 0.1."""
    weight = torch.where(labels > 0, 1.0, 0.1)
    return (functional.cross_entropy(logits.movedim(-1, 1), labels, reduction="none") * weight).sum() / weight.sum()


def patch_labels(scene: Scene, drawing: Drawing) -> np.ndarray:
    """Return color, kind, size, orientation and cell of the shape in each patch, int (patches, 5). 0 means none."""
    cover = drawing.masks.reshape(len(scene.shapes), GRID, PATCH, GRID, PATCH).sum((2, 4)).reshape(-1, GRID**2)
    owner = np.where(cover.max(0) > 0.15 * PATCH**2, cover.argmax(0), -1)
    rows = np.asarray([[0] * 5, *(_shape_labels(shape) for shape in scene.shapes)])
    return rows[owner + 1]


def _shape_labels(shape: Shape) -> list[int]:
    orientation = 1 + shape.points_up if shape.kind == "triangle" else 0
    return [
        1 + list(COLORS).index(shape.color),
        1 + SHAPES.index(shape.kind),
        1 + (shape.size == "large"),
        orientation,
        1 + 3 * shape.cell[0] + shape.cell[1],
    ]


# Stages 2 to 4: language.


def talk(model: Any, processor: Any, rng: np.random.RandomState, stage: Stage, steps: int) -> None:
    """Train on packed exchanges: several prompts share the tokens of one image and do not attend to each other."""
    vision = list(model.model.vision_tower.parameters())
    language = [weight for name, weight in model.named_parameters() if "vision_tower" not in name]
    groups = [{"params": language, "lr": stage.rate}, {"params": vision, "lr": stage.vision_rate}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.02)
    progress = Progress(stage.name, steps)
    for step in range(steps):
        fall = (1 + math.cos(math.pi * step / steps)) / 2 if stage.falls else 1
        _set_rate(optimizer, min(1, (step + 1) / 100) * fall)
        inputs, labels = sample_batch(processor.tokenizer, rng, stage)
        answered = labels[:, 1:] != _IGNORED
        hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
        loss = functional.cross_entropy(model.lm_head(hidden[answered]), labels[:, 1:][answered])
        _descend(loss, optimizer, [*language, *vision])
        progress.report(step, loss.item())


def sample_batch(tokenizer: Any, rng: np.random.RandomState, stage: Stage) -> tuple[dict[str, Tensor], Tensor]:
    """Draw scenes and return their model inputs, and labels int64 (scenes, tokens)."""
    scenes = [sample_scene(rng) for _ in range(stage.scenes)]
    asked = [sample_dialogues(scene, rng, stage.shares, stage.dialogues) for scene in scenes]
    inputs, labels = pack(tokenizer, asked)
    return {**inputs, "pixel_values": pixel_values([draw(scene) for scene in scenes])}, labels


def pack(tokenizer: Any, asked: list[list[Dialogue]]) -> tuple[dict[str, Tensor], Tensor]:
    """Put all exchanges of a scene after one image. Positions restart for each, and none attends to another."""
    image = tokenizer.convert_tokens_to_ids("<image>")
    start, rest = tokenizer("USER: <image>\n").input_ids, []
    at = start.index(image)
    prefix = start[:at] + [image] * GRID**2 + start[at + 1 :]
    for dialogues in asked:
        texts = [f"{e.prompt} ASSISTANT:" for e in dialogues] + [f" {e.answer}" for e in dialogues]
        ids = tokenizer(texts, add_special_tokens=False).input_ids
        rest.append([(q, [*a, tokenizer.eos_token_id]) for q, a in zip(ids, ids[len(dialogues) :])])

    length = len(prefix) + max(sum(len(q) + len(a) for q, a in row) for row in rest)
    tokens, labels, positions, segments = (torch.full((len(rest), length), fill) for fill in (0, _IGNORED, 0, -1))
    head = len(prefix)
    tokens[:, :head], positions[:, :head], segments[:, :head] = torch.tensor(prefix), torch.arange(head), 0
    for index, row in enumerate(rest):
        begin = head
        for segment, (prompt, answer) in enumerate(row, start=1):
            end = begin + len(prompt) + len(answer)
            tokens[index, begin:end] = torch.tensor(prompt + answer)
            labels[index, begin + len(prompt) : end] = torch.tensor(answer)
            positions[index, begin:end] = head + torch.arange(end - begin)
            segments[index, begin:end] = segment
            begin = end
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    allowed = causal & ((segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None]))
    return {"input_ids": tokens, "position_ids": positions, "attention_mask": allowed[:, None]}, labels


# Shared by the stages.

_CLIP_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
_CLIP_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)


def pixel_values(drawings: list[Drawing]) -> Tensor:
    """Return CLIP's preprocessing of images that need no resizing, float32 (images, 3, 112, 112)."""
    pixels = torch.from_numpy(np.stack([drawing.image for drawing in drawings])).permute(0, 3, 1, 2)
    return (pixels.float() / 255 - _CLIP_MEAN) / _CLIP_STD


def image_features(model: Any, pixels: Tensor) -> Tensor:
    """Return the projected image tokens, float32 (images, tokens, width)."""
    features = model.get_image_features(pixels, vision_feature_layer=-1, vision_feature_select_strategy="default")
    return torch.stack(list(features.pooler_output))


def _set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * factor


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


class Progress:
    """Logs the mean loss and the elapsed time every hundred steps."""

    def __init__(self, name: str, steps: int):
        self.name, self.steps, self.start = name, steps, time.monotonic()
        self.losses: list[float] = []

    def report(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        if (step + 1) % 100 == 0 or step + 1 == self.steps:
            seconds = time.monotonic() - self.start
            logger.info(f"{self.name} {step + 1}/{self.steps}: loss {np.mean(self.losses[-100:]):.4f}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
