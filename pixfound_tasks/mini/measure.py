"""Measure an embedded model on held-out scenes: `python -m pixfound_tasks.mini.measure --weights FOLDER`.

The results are those of the model cards: accuracy by topic, how often attention peaks inside what is referred to, and
for a model with a mask decoder the IoU of its masks.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks.attention import Lens, Look
from pixfound_tasks.grounding.phrases import rule_phrases
from pixfound_tasks.mini import weights_folder
from pixfound_tasks.mini.dialogues import describe, refer
from pixfound_tasks.mini.pairs import sample_pair
from pixfound_tasks.mini.questions import ASKERS
from pixfound_tasks.mini.references import Reference
from pixfound_tasks.mini.scenes import Drawing, Scene, draw, sample_scene
from pixfound_tasks.prompts.text import open_question, referring_prompt

SEED = 31_000_000  # not used by training or PixMini
BATCH = 50


class Sample(NamedTuple):
    """A held-out scene and something in it that is referred to."""

    scene: Scene
    drawing: Drawing
    reference: Reference

    @property
    def mask(self) -> np.ndarray:
        return self.drawing.mask(self.scene, self.reference.things, self.reference.part)


def main() -> None:
    """Print the tables of the model card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=weights_folder())
    parser.add_argument("--pairs", type=int, default=50, help="pairs of each topic")
    parser.add_argument("--scenes", type=int, default=400, help="scenes for the attention peaks and the masks")
    options = parser.parse_args()
    lens, pixel = open_model(options.weights)
    print_table("Answers, in percent", ["choice", "choice, pairs", "open", "open, pairs"], answers(lens, options.pairs))
    samples = sample_references(options.scenes)
    print_table("Attention peaks inside what is referred to, in percent", ["scenes"], peaks(lens, samples))
    if pixel:
        print_table("Masks of [SEG], in percent", ["all", "things", "parts"], masks(pixel, samples))


def open_model(folder: Path) -> tuple[Lens, Any]:
    """Return the lens of a model, and the model with its mask decoder, or None if it has none."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["architectures"] == ["LISAForCausalLM"]:
        from pixfound_tasks.pixel.families.registry import load_pixel_model

        pixel = load_pixel_model(str(folder))
        return pixel.lens, pixel
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()
    return Lens(model, AutoProcessor.from_pretrained(folder)), None


def answers(lens: Lens, count: int) -> dict[str, list[float]]:
    """Return four accuracies in 0..1 for each topic, and their means as "all".

    They are the accuracy and the pair accuracy of choice questions, and those of open questions. An open answer must be
    the exact sentence. A pair is correct if both of its answers are.
    """
    rows = {}
    for topic in ASKERS:
        rng = np.random.RandomState(SEED)
        pairs = [sample_pair(rng, topic) for _ in range(count)]
        images = [Image.fromarray(draw(scene).image) for pair in pairs for scene in pair.scenes]
        questions = [question for pair in pairs for question in pair.questions]
        choice = _answer(lens, images, [question.choice_prompt for question in questions])
        opened = _answer(lens, images, [open_question(question.text, question.options_text) for question in questions])
        correct = [
            np.reshape([answer == question.letter for answer, question in zip(choice, questions)], (-1, 2)),
            np.reshape([answer == question.sentence for answer, question in zip(opened, questions)], (-1, 2)),
        ]
        rows[topic] = [share for half in correct for share in (half.mean(), half.all(axis=1).mean())]
    return rows | {"all": list(np.mean(list(rows.values()), axis=0))}


def _answer(lens: Lens, images: list[Image.Image], prompts: list[str]) -> list[str]:
    starts = range(0, len(prompts), BATCH)
    batches = (lens.answer_all(images[at : at + BATCH], prompts[at : at + BATCH], max_new_tokens=48) for at in starts)
    return [answer.text for batch in batches for answer in batch]


def sample_references(count: int) -> list[Sample]:
    """Draw scenes, each with something in it that an expression refers to."""
    rng = np.random.RandomState(SEED)
    samples: list[Sample] = []
    while len(samples) < count:
        scene = sample_scene(rng)
        sample = Sample(scene, draw(scene), refer(scene, rng))
        if sample.mask.any():
            samples.append(sample)
    return samples


def peaks(lens: Lens, samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return the fraction of scenes, in 0..1, in which attention peaks inside the target, by phrase and query.

    Random points, one or as many as the answer has phrases, are the baselines.
    """
    rng = np.random.RandomState(SEED)
    hits: dict[str, list[bool]] = defaultdict(list)
    for sample in samples:
        image, mask = Image.fromarray(sample.drawing.image), sample.mask
        name = sample.reference.part or sample.scene.things[sample.reference.things[0]].kind
        random_points = rng.random_sample((len(rule_phrases(describe(sample.scene, sample.reference))), 2))
        for query in ("predict", "consume"):
            look = Lens(lens.model, lens.processor, query=query).look(
                image, referring_prompt(sample.reference.expression), max_new_tokens=48
            )
            found = phrase_hits(look, mask)
            named = [hit for phrase, hit in found if phrase.endswith(name)]
            hits[f"phrase that names it, rows that {query} it"].append(any(named[:1]))
            hits[f"best phrase, rows that {query} it"].append(any(hit for _, hit in found))
        hits["one random point"].append(_is_inside(random_points[0], mask))
        hits["best of as many random points"].append(any(_is_inside(point, mask) for point in random_points))
    return {name: [float(np.mean(found))] for name, found in hits.items()}


def phrase_hits(look: Look, mask: np.ndarray) -> list[tuple[str, bool]]:
    """Return the phrases of an answer, and for each one whether its attention peaks inside the mask."""
    found = []
    for phrase in rule_phrases(look.text):
        point = look.peak(phrase.chars)
        found.append((phrase.text, point is not None and _is_inside(point, mask)))
    return found


def masks(pixel: Any, samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return the mean IoU of the masks and the fraction of answers with a mask, in 0..1: all, things, parts."""
    ious: list[float] = []
    for at in range(0, len(samples), BATCH):
        batch = samples[at : at + BATCH]
        prompts = [referring_prompt(sample.reference.expression, "lisa") for sample in batch]
        found = pixel.answer_all([Image.fromarray(s.drawing.image) for s in batch], prompts, max_new_tokens=32)
        ious += [_iou(answer.masks, sample.mask) for answer, sample in zip(found, batch)]
    scores, is_part = np.asarray(ious), np.asarray([bool(sample.reference.part) for sample in samples])
    groups = (np.ones(len(scores), bool), ~is_part, is_part)
    return {
        "mean IoU": [float(np.nan_to_num(scores[group]).mean()) for group in groups],
        "answers with a mask": [float((~np.isnan(scores[group])).mean()) for group in groups],
    }


def _iou(found: np.ndarray, mask: np.ndarray) -> float:
    """Return the IoU of the first mask; NaN if there is none."""
    return float((found[0] & mask).sum() / (found[0] | mask).sum()) if len(found) else float("nan")


def _is_inside(point: Sequence[float], mask: np.ndarray) -> bool:
    height, width = mask.shape
    return bool(mask[int(point[1] * height), int(point[0] * width)])


def print_table(title: str, columns: list[str], rows: dict[str, list[float]]) -> None:
    """Print fractions in 0..1 as percent."""
    table = Table("", title=title)
    for column in columns:
        table.add_column(column, justify="right")
    for name, shares in rows.items():
        table.add_row(name, *(f"{share:.1%}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    main()
