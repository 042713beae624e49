"""Train the embedded models: `python -m pixfound_tasks.mini.train --out FOLDER`.

Both models come from one base. Trained side by side on two cores, `pixfound/mini` took 84 minutes and
`pixfound/mini-seg` 99, the base included in both. What was interrupted goes on where it was if it is started again.

1. `see` and `see more`: the vision tower learns what is in each patch. Without them, nothing else is learned in
   reasonable time.
2. `talk`: questions, descriptions and referring expressions, and a helper task whose prompt contains the answer. Many
   questions are answered in a word, from which the model learns what named things look like.
3. `choose`, once for each model: mostly choice questions, while the learning rate falls to zero. Both models see the
   same scenes, prompts and answers. `pixfound/mini-seg` sees prompts for masks besides, whose answer is `It is [SEG].`,
   and learns to draw them: a mask decoder is prompted with the hidden state that predicts `[SEG]`.

The language stages compute in bfloat16 where autocast does, which is faster on processors that have it.

No stage supervises attention. That attention grounds objects is not a training objective.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from pixfound_tasks.mini.language_stage import Stage, talk
from pixfound_tasks.mini.lisa import save_lisa
from pixfound_tasks.mini.mask_decoder import MaskHead
from pixfound_tasks.mini.model import build_model
from pixfound_tasks.mini.tokenizer import build_processor
from pixfound_tasks.mini.vision_stage import ROUNDS, Round, see

SEED = 20251126
THREADS = 1  # more threads change the order of sums, and so the weights
BASE_STAGES = (
    Stage("talk", 4500, {"brief": 0.30, "choice": 0.30, "open": 0.10, "look": 0.10, "identify": 0.14, "match": 0.06}),
)
LAST_STAGE = Stage(
    "choose", 2500,
    {"brief": 0.18, "choice": 0.42, "open": 0.12, "look": 0.06, "identify": 0.14, "match": 0.08},
    falls=True,
)  # fmt: skip


def main() -> None:
    """Train the base, then both models, and save all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the folders base, mini and mini-seg")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--models", nargs="+", default=["mini", "mini-seg"], choices=["mini", "mini-seg"])
    parser.add_argument("--workers", type=int, default=1, help="processes that draw batches; they change no weight")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the steps to run (small values test the script)"
    )
    parser.add_argument("--device", default="cpu", help="the packaged weights were computed on a CPU")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    base = train_base(options.out / "base", options.seed, options.scale, options.workers, options.device)
    for name in options.models:
        train_last(base, options.out / name, options.seed, options.scale, options.workers, name == "mini-seg")


def train_base(folder: Path, seed: int, scale: float, workers: int, device: str = "cpu") -> Any:
    """Train what both models begin with. If the folder has a finished stage, training goes on after it."""
    torch.manual_seed(seed)
    processor = build_processor()
    model = build_model(processor.tokenizer).to(device)
    drawn = torch.get_rng_state()  # every stage begins with it, also one that goes on from a saved stage
    folder.mkdir(parents=True, exist_ok=True)
    stages: tuple[Round | Stage, ...] = (*ROUNDS, *BASE_STAGES)
    finished = [place for place, stage in enumerate(stages) if (folder / f"{stage.name}.safetensors").exists()]
    if finished:
        model.load_state_dict(load_file(folder / f"{stages[finished[-1]].name}.safetensors"))
    for stage in stages[finished[-1] + 1 if finished else 0 :]:
        torch.set_rng_state(drawn)
        steps = int(stage.steps * scale)
        if isinstance(stage, Stage):
            talk(model, processor.tokenizer, stage, seed, steps, workers, pause=folder / f"{stage.name}.pause")
        else:
            see(model, stage, seed, steps, workers)
        save_file(model.state_dict(), folder / f"{stage.name}.safetensors")
        (folder / f"{stage.name}.pause").unlink(missing_ok=True)
    return model


def train_last(base: Any, folder: Path, seed: int, scale: float, workers: int, with_masks: bool) -> None:
    """Train one of the models from the base and save it."""
    torch.manual_seed(seed)
    processor, model = build_processor(), deepcopy(base)
    head = MaskHead().to(base.device) if with_masks else None
    steps = int(LAST_STAGE.steps * scale)
    folder.mkdir(parents=True, exist_ok=True)
    pause = folder.parent / f"{folder.name}.pause"
    talk(model, processor.tokenizer, LAST_STAGE, seed, steps, workers, head, pause)
    if head is None:
        save(model, processor, folder)
    else:
        save_lisa(model, head, folder)
    pause.unlink(missing_ok=True)


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


if __name__ == "__main__":
    main()
