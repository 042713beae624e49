"""The training data of the embedded model: prompts about a drawn scene, each with its only correct answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.questions import absent_shape, plural, sample_question
from pixfound_tasks.mini.scenes import COLORS, SHAPES, Scene, Shape, pick
from pixfound_tasks.prompts.text import open_question, referring_prompt


class Dialogue(NamedTuple):
    """A prompt and its correct answer."""

    prompt: str
    answer: str


def refer(scene: Scene, target: Shape, rng: np.random.RandomState) -> str:
    """Return a referring expression that only one shape of the scene matches."""
    draw = rng.uniform()
    if draw < 0.25 and scene.count(target.kind) == 1:
        return f"the {target.kind}"
    if draw < 0.33:
        return f"the {target.name} {target.place}"
    return f"the {target.full_name}" if draw < 0.45 else f"the {target.name}"


def describe_target(scene: Scene, target: Shape) -> str:
    """Return a sentence that says where a shape is, in one of four wordings.

    The shape's color and kind decide the wording, so that there is only one correct answer.
    """
    place = target.place
    at_place = place[0].upper() + place[1:]
    others = [shape for shape in scene.shapes if shape is not target]
    by_distance = sorted(others, key=lambda other: (other.cx - target.cx) ** 2 + (other.cy - target.cy) ** 2)
    beside = f"next to a {by_distance[0].name}" if others else ""
    style = (list(COLORS).index(target.color) + SHAPES.index(target.kind)) % 4
    if style == 0:
        return f"The {target.full_name} is {place}" + (f", {beside}." if beside else ".")
    if style == 1:
        return f"{at_place} there is a {target.full_name}" + (f", {beside}." if beside else ".")
    if style == 2:
        lead = f"{beside[0].upper()}{beside[1:]}, the" if beside else "The"
        return f"{lead} {target.full_name} is {place}."
    return f"It is the {target.full_name} {place}."


def _identify(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    target = pick(rng, scene.shapes)
    return Dialogue(referring_prompt(refer(scene, target, rng)), describe_target(scene, target))


def _identify_several(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    kind = pick(rng, scene.shapes).kind
    return Dialogue(referring_prompt(f"the {plural(kind)}"), describe_kind(scene, kind))


def describe_kind(scene: Scene, kind: str) -> str:
    """Return a sentence that lists the shapes of one kind, cell by cell."""
    found = sorted((shape for shape in scene.shapes if shape.kind == kind), key=lambda shape: shape.cell)
    return "There is " + " and ".join(f"a {shape.full_name} {shape.place}" for shape in found) + "."


def _identify_absent(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    name = absent_shape(scene, rng).name
    return Dialogue(referring_prompt(f"the {name}"), f"There is no {name} in the scene.")


def _what_is_where(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    target = pick(rng, scene.shapes)
    return Dialogue(f"What is {target.place}?", f"A {target.full_name} is {target.place}.")


def _describe(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    shapes = sorted(scene.shapes, key=lambda shape: shape.cell)
    listing = ", ".join(f"a {shape.full_name} {shape.place}" for shape in shapes)
    return Dialogue("Describe the scene.", f"The scene shows {listing}.")


def _choice(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    question = sample_question(scene, rng)
    return Dialogue(question.choice_prompt, question.letter)


def _open(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    question = sample_question(scene, rng)
    return Dialogue(open_question(question.text, question.options_text), question.sentence)


def _match_text(scene: Scene, rng: np.random.RandomState) -> Dialogue:
    """A helper task for choice questions. The prompt contains the answer, and the model only has to find its letter."""
    question = sample_question(scene, rng)
    return Dialogue(f"{question.sentence} {question.choice_prompt}", question.letter)


TASKS: dict[str, Callable[[Scene, np.random.RandomState], Dialogue]] = {
    "identify": _identify,
    "several": _identify_several,
    "absent": _identify_absent,
    "where": _what_is_where,
    "describe": _describe,
    "choice": _choice,
    "open": _open,
    "match": _match_text,
}


def sample_dialogues(scene: Scene, rng: np.random.RandomState, shares: dict[str, float], count: int) -> list[Dialogue]:
    """Draw `count` prompts with their answers. `shares` maps tasks to their probabilities, which add up to 1."""
    tasks = rng.choice(list(shares), size=count, p=list(shares.values()))
    return [TASKS[task](scene, rng) for task in tasks]
