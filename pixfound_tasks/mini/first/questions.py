"""Choice questions about drawn scenes, with their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.first.scenes import COLORS, SHAPES, Scene, Shape, pick, sample_shape
from pixfound_tasks.prompts.text import choice_question

# Options always come in this order. A model this small learns choice questions only if the order is canonical.
_ORDER = (
    *COLORS, "left", "right", "top", "bottom", "large", "small", "yes", "no", "one", "two", "up", "down",
    "above", "below", "to the left of", "to the right of",
)  # fmt: skip


class Question(NamedTuple):
    """A question with two options in canonical order. `right` is the index of the correct one."""

    text: str
    options: tuple[str, str]
    right: int
    sentence: str

    @property
    def letter(self) -> str:
        return "AB"[self.right]

    @property
    def choice_prompt(self) -> str:
        return choice_question(self.text, self.options)

    @property
    def options_text(self) -> str:
        return f"(a) {self.options[0]} (b) {self.options[1]}"


def plural(kind: str) -> str:
    """Return the plural of a kind of shape."""
    return kind + ("es" if kind.endswith("s") else "s")


def _question(text: str, right: str, wrong: str, sentence: str) -> Question:
    first, second = sorted((right, wrong), key=_ORDER.index)
    return Question(text, (first.capitalize(), second.capitalize()), [first, second].index(right), sentence)


# One function per kind. It returns the question about a target in a scene, or None if the question makes no sense.


def _ask_side(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    column = target.cell[1]
    if column == 1:
        return None
    right, wrong = ("left", "right") if column == 0 else ("right", "left")
    text = f"Is the {target.name} on the left or right side of the image?"
    return _question(text, right, wrong, f"The {target.name} is on the {right} side of the image.")


def _ask_height(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    row = target.cell[0]
    if row == 1:
        return None
    right, wrong = ("top", "bottom") if row == 0 else ("bottom", "top")
    text = f"Is the {target.name} at the top or bottom of the image?"
    return _question(text, right, wrong, f"The {target.name} is at the {right} of the image.")


def _ask_color(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    if scene.count(target.kind) != 1:
        return None
    return color_question(target, other_color(scene, target, rng))


def color_question(target: Shape, wrong: str) -> Question:
    """Return the question about a shape's color, with its color and an incorrect one as options."""
    text = f"What is the color of the {target.kind}?"
    return _question(text, target.color, wrong, f"The {target.kind} is {target.color}.")


def _ask_size(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question:
    wrong = "small" if target.size == "large" else "large"
    text = f"Is the {target.name} large or small?"
    return _question(text, target.size, wrong, f"The {target.name} is {target.size}.")


def ask_presence(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question:
    """Return the question whether a shape is in a scene. The shape may be absent."""
    text = f"Is there a {target.name} in the image?"
    if scene.has(target.color, target.kind):
        return _question(text, "yes", "no", f"Yes, there is a {target.name} in the image.")
    return _question(text, "no", "yes", f"No, there is no {target.name} in the image.")


def _ask_count(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    count = scene.count(target.kind)
    if count > 2:
        return None
    text = f"How many {plural(target.kind)} are there in the image?"
    if count == 1:
        return _question(text, "one", "two", f"There is one {target.kind} in the image.")
    return _question(text, "two", "one", f"There are two {plural(target.kind)} in the image.")


def _ask_orientation(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    if target.kind != "triangle":
        return None
    right, wrong = ("up", "down") if target.points_up else ("down", "up")
    return _question(f"Does the {target.name} point up or down?", right, wrong, f"The {target.name} points {right}.")


def _ask_beside(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    return _ask_relation(scene, target, rng, axis=1)


def _ask_above(scene: Scene, target: Shape, rng: np.random.RandomState) -> Question | None:
    return _ask_relation(scene, target, rng, axis=0)


def _ask_relation(scene: Scene, target: Shape, rng: np.random.RandomState, axis: int) -> Question | None:
    others = [shape for shape in scene.shapes if shape.cell[axis] != target.cell[axis]]
    return relation_question(target, pick(rng, others), axis) if others else None


def relation_question(target: Shape, other: Shape, axis: int) -> Question:
    """Return the question on which side of another shape a shape is.

    Axis 1 is for left and right, axis 0 for above and below.
    """
    words = ("to the left of", "to the right of") if axis == 1 else ("above", "below")
    right, wrong = words if target.cell[axis] < other.cell[axis] else words[::-1]
    text = f"Is the {target.name} {words[0]} or {words[1]} the {other.name}?"
    return _question(text, right, wrong, f"The {target.name} is {right} the {other.name}.")


ASKERS: dict[str, Callable[..., Question | None]] = {
    "side": _ask_side,
    "height": _ask_height,
    "color": _ask_color,
    "size": _ask_size,
    "presence": ask_presence,
    "count": _ask_count,
    "beside": _ask_beside,
    "above": _ask_above,
    "orientation": _ask_orientation,
}


def sample_question(scene: Scene, rng: np.random.RandomState) -> Question:
    """Draw a question of a random kind. Half of the presence questions are about an absent shape."""
    while True:
        kind = pick(rng, list(ASKERS))
        target = pick(rng, scene.shapes)
        if kind == "presence" and rng.randint(2):
            target = absent_shape(scene, rng)
        question = ASKERS[kind](scene, target, rng)
        if question:
            return question


def other_color(scene: Scene, target: Shape, rng: np.random.RandomState) -> str:
    """Draw a color that the target does not have: with equal odds that of another shape in the scene, or any color."""
    seen = sorted({shape.color for shape in scene.shapes} - {target.color})
    return pick(rng, seen) if seen and rng.randint(2) else pick(rng, [c for c in COLORS if c != target.color])


def absent_shape(scene: Scene, rng: np.random.RandomState) -> Shape:
    """Draw a shape that the scene lacks. It usually shares its color or kind with a shape of the scene."""
    while True:
        color, kind = pick(rng, list(COLORS)), pick(rng, SHAPES)
        if rng.uniform() < 0.7:
            like = pick(rng, scene.shapes)
            color, kind = (like.color, kind) if rng.randint(2) else (color, like.kind)
        if not scene.has(color, kind):
            return sample_shape(rng, color, kind, (1, 1))
