"""Measure the embedded model on held-out scenes: `python -m pixfound_tasks.mini.measure`.

The results are those of its model card: accuracy by kind of question, and how often attention peaks inside the object.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks.attention import Lens, Look
from pixfound_tasks.grounding.phrases import rule_phrases
from pixfound_tasks.mini import weights_folder
from pixfound_tasks.mini.dialogues import describe_target, refer
from pixfound_tasks.mini.pairs import sample_pair
from pixfound_tasks.mini.questions import ASKERS
from pixfound_tasks.mini.scenes import draw, pick, sample_scene
from pixfound_tasks.prompts.text import open_question, referring_prompt

SEED = 31_000_000  # not used by training or PixMini
BATCH = 50


def main() -> None:
    """Print both tables of the model card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=weights_folder())
    parser.add_argument("--pairs", type=int, default=50, help="pairs of each kind of question")
    parser.add_argument("--scenes", type=int, default=400, help="scenes for the attention peaks")
    options = parser.parse_args()
    model = AutoModelForImageTextToText.from_pretrained(options.weights, dtype="float32").eval()
    lens = Lens(model, AutoProcessor.from_pretrained(options.weights))
    print_table("Answers, in percent", ["choice", "choice, pairs", "open", "open, pairs"], answers(lens, options.pairs))
    print_table("Attention peaks inside the object, in percent", ["scenes"], peaks(lens, options.scenes))


def answers(lens: Lens, count: int) -> dict[str, list[float]]:
    """Return four accuracies in 0..1 for each kind of question, and their means as "all".

    They are the accuracy and the pair accuracy of choice questions, and those of open questions. An open answer must be
    the exact sentence. A pair is correct if both of its answers are.
    """
    rows = {}
    for kind in ASKERS:
        rng = np.random.RandomState(SEED)
        pairs = [sample_pair(rng, kind) for _ in range(count)]
        images = [Image.fromarray(draw(scene).image) for pair in pairs for scene in pair.scenes]
        questions = [question for pair in pairs for question in pair.questions]
        choice = _answer(lens, images, [question.choice_prompt for question in questions])
        opened = _answer(lens, images, [open_question(question.text, question.options_text) for question in questions])
        correct = [
            np.reshape([answer == question.letter for answer, question in zip(choice, questions)], (-1, 2)),
            np.reshape([answer == question.sentence for answer, question in zip(opened, questions)], (-1, 2)),
        ]
        rows[kind] = [share for half in correct for share in (half.mean(), half.all(axis=1).mean())]
    return rows | {"all": list(np.mean(list(rows.values()), axis=0))}


def _answer(lens: Lens, images: list[Image.Image], prompts: list[str]) -> list[str]:
    starts = range(0, len(prompts), BATCH)
    batches = (lens.answer_all(images[at : at + BATCH], prompts[at : at + BATCH]) for at in starts)
    return [answer.text for batch in batches for answer in batch]


def peaks(lens: Lens, count: int) -> dict[str, list[float]]:
    """Return the fraction of scenes, in 0..1, in which attention peaks inside the target shape, by phrase and query.

    Random points, one or as many as the answer has phrases, are the baselines.
    """
    rng = np.random.RandomState(SEED)
    hits: dict[str, list[bool]] = defaultdict(list)
    for _ in range(count):
        scene = sample_scene(rng)
        target = pick(rng, scene.shapes)
        drawing = draw(scene)
        mask = drawing.masks[scene.shapes.index(target)]
        prompt = referring_prompt(refer(scene, target, rng))
        random_points = rng.random_sample((len(rule_phrases(describe_target(scene, target))), 2))
        for query in ("predict", "consume"):
            look = Lens(lens.model, lens.processor, query=query).look(Image.fromarray(drawing.image), prompt)
            found = phrase_hits(look, mask)
            named = [hit for phrase, hit in found if phrase.endswith(target.name)]
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
