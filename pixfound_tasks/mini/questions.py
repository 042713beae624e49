"""What is asked about a drawn scene, and the answers: choice and open questions, descriptions, referring expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.scenes import (
    COLORS,
    SHAPES,
    Scene,
    Shape,
    are_apart,
    pick,
    sample_scene,
    sample_shape,
)
from pixfound_tasks.prompts import choice_question, open_question, referring_prompt

# Options always stand in this order; a model this small learns choices only where their order is canonical.
_ORDER = (
    *COLORS, "left", "right", "top", "bottom", "large", "small", "yes", "no", "one", "two", "up", "down",
    "above", "below", "to the left of", "to the right of",
)  # fmt: skip


class Question(NamedTuple):
    """A question with two options in canonical order; `right` is the index of the right one."""

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


class Exchange(NamedTuple):
    """A prompt and the answer a model should give."""

    prompt: str
    answer: str


class Pair(NamedTuple):
    """Two scenes for which the same question has opposite answers.

    `expression` refers to the shape that is asked about; `targets` are its indices in either scene (none: absent).
    """

    kind: str
    scenes: tuple[Scene, Scene]
    questions: tuple[Question, Question]
    expression: str
    targets: tuple[tuple[int, ...], tuple[int, ...]]


def plural(kind: str) -> str:
    return kind + ("es" if kind.endswith("s") else "s")


def _question(text: str, right: str, wrong: str, sentence: str) -> Question:
    options = sorted((right, wrong), key=_ORDER.index)
    return Question(text, tuple(option.capitalize() for option in options), options.index(right), sentence)


# One asker per kind: what is asked about a target in a scene, or None where the question makes no sense there.


def _ask_side(scene: Scene, target: Shape, rng) -> Question | None:
    column = target.cell[1]
    if column == 1:
        return None
    right, wrong = ("left", "right") if column == 0 else ("right", "left")
    text = f"Is the {target.name} on the left or right side of the image?"
    return _question(text, right, wrong, f"The {target.name} is on the {right} side of the image.")


def _ask_height(scene: Scene, target: Shape, rng) -> Question | None:
    row = target.cell[0]
    if row == 1:
        return None
    right, wrong = ("top", "bottom") if row == 0 else ("bottom", "top")
    text = f"Is the {target.name} at the top or bottom of the image?"
    return _question(text, right, wrong, f"The {target.name} is at the {right} of the image.")


def _ask_color(scene: Scene, target: Shape, rng) -> Question | None:
    if scene.count(target.kind) != 1:
        return None
    return _color_question(target, _other_color(scene, target, rng))


def _color_question(target: Shape, wrong: str) -> Question:
    text = f"What is the color of the {target.kind}?"
    return _question(text, target.color, wrong, f"The {target.kind} is {target.color}.")


def _ask_size(scene: Scene, target: Shape, rng) -> Question:
    wrong = "small" if target.size == "large" else "large"
    text = f"Is the {target.name} large or small?"
    return _question(text, target.size, wrong, f"The {target.name} is {target.size}.")


def _ask_presence(scene: Scene, target: Shape, rng) -> Question:
    text = f"Is there a {target.name} in the image?"
    if scene.has(target.color, target.kind):
        return _question(text, "yes", "no", f"Yes, there is a {target.name} in the image.")
    return _question(text, "no", "yes", f"No, there is no {target.name} in the image.")


def _ask_count(scene: Scene, target: Shape, rng) -> Question | None:
    count = scene.count(target.kind)
    if count > 2:
        return None
    text = f"How many {plural(target.kind)} are there in the image?"
    if count == 1:
        return _question(text, "one", "two", f"There is one {target.kind} in the image.")
    return _question(text, "two", "one", f"There are two {plural(target.kind)} in the image.")


def _ask_orientation(scene: Scene, target: Shape, rng) -> Question | None:
    if target.kind != "triangle":
        return None
    right, wrong = ("up", "down") if target.points_up else ("down", "up")
    return _question(f"Does the {target.name} point up or down?", right, wrong, f"The {target.name} points {right}.")


def _ask_beside(scene: Scene, target: Shape, rng) -> Question | None:
    return _ask_relation(scene, target, rng, axis=1)


def _ask_above(scene: Scene, target: Shape, rng) -> Question | None:
    return _ask_relation(scene, target, rng, axis=0)


def _ask_relation(scene: Scene, target: Shape, rng, axis: int) -> Question | None:
    others = [shape for shape in scene.shapes if shape.cell[axis] != target.cell[axis]]
    return _relation_question(target, pick(rng, others), axis) if others else None


def _relation_question(target: Shape, other: Shape, axis: int) -> Question:
    words = ("to the left of", "to the right of") if axis == 1 else ("above", "below")
    right, wrong = words if target.cell[axis] < other.cell[axis] else words[::-1]
    text = f"Is the {target.name} {words[0]} or {words[1]} the {other.name}?"
    return _question(text, right, wrong, f"The {target.name} is {right} the {other.name}.")


ASKERS: dict[str, Callable[..., Question | None]] = {
    "side": _ask_side,
    "height": _ask_height,
    "color": _ask_color,
    "size": _ask_size,
    "presence": _ask_presence,
    "count": _ask_count,
    "beside": _ask_beside,
    "above": _ask_above,
    "orientation": _ask_orientation,
}


def sample_question(scene: Scene, rng: np.random.RandomState) -> Question:
    """A question of a random kind; half of the presence questions are about a shape that is not there."""
    while True:
        kind = pick(rng, list(ASKERS))
        target = pick(rng, scene.shapes)
        if kind == "presence" and rng.randint(2):
            target = absent_shape(scene, rng)
        question = ASKERS[kind](scene, target, rng)
        if question:
            return question


def _other_color(scene: Scene, target: Shape, rng) -> str:
    """A wrong colour: as often one that another shape of the scene has as any."""
    seen = sorted({shape.color for shape in scene.shapes} - {target.color})
    return pick(rng, seen) if seen and rng.randint(2) else pick(rng, [c for c in COLORS if c != target.color])


def absent_shape(scene: Scene, rng: np.random.RandomState) -> Shape:
    """A shape that the scene lacks; mostly one that shares colour or kind with one that is there."""
    while True:
        color, kind = pick(rng, list(COLORS)), pick(rng, SHAPES)
        if rng.uniform() < 0.7:
            like = pick(rng, scene.shapes)
            color, kind = (like.color, kind) if rng.randint(2) else (color, like.kind)
        if not scene.has(color, kind):
            return sample_shape(rng, color, kind, (1, 1))


# Referring and describing.


def refer(scene: Scene, target: Shape, rng: np.random.RandomState) -> str:
    """A referring expression that fits one shape of the scene only."""
    draw = rng.uniform()
    if draw < 0.25 and scene.count(target.kind) == 1:
        return f"the {target.kind}"
    if draw < 0.33:
        return f"the {target.name} {target.place}"
    return f"the {target.full_name}" if draw < 0.45 else f"the {target.name}"


def describe_target(scene: Scene, target: Shape) -> str:
    """Where a shape is, worded in one of four ways that its looks decide (so that there is one right answer)."""
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


def _identify(scene: Scene, rng) -> Exchange:
    target = pick(rng, scene.shapes)
    return Exchange(referring_prompt(refer(scene, target, rng)), describe_target(scene, target))


def _identify_several(scene: Scene, rng) -> Exchange:
    kind = pick(rng, scene.shapes).kind
    return Exchange(referring_prompt(f"the {plural(kind)}"), describe_kind(scene, kind))


def describe_kind(scene: Scene, kind: str) -> str:
    found = sorted((shape for shape in scene.shapes if shape.kind == kind), key=lambda shape: shape.cell)
    return "There is " + " and ".join(f"a {shape.full_name} {shape.place}" for shape in found) + "."


def _identify_absent(scene: Scene, rng) -> Exchange:
    name = absent_shape(scene, rng).name
    return Exchange(referring_prompt(f"the {name}"), f"There is no {name} in the scene.")


def _what_is_where(scene: Scene, rng) -> Exchange:
    target = pick(rng, scene.shapes)
    return Exchange(f"What is {target.place}?", f"A {target.full_name} is {target.place}.")


def _describe(scene: Scene, rng) -> Exchange:
    shapes = sorted(scene.shapes, key=lambda shape: shape.cell)
    listing = ", ".join(f"a {shape.full_name} {shape.place}" for shape in shapes)
    return Exchange("Describe the scene.", f"The scene shows {listing}.")


def _choice(scene: Scene, rng) -> Exchange:
    question = sample_question(scene, rng)
    return Exchange(question.choice_prompt, question.letter)


def _open(scene: Scene, rng) -> Exchange:
    question = sample_question(scene, rng)
    return Exchange(open_question(question.text, question.options_text), question.sentence)


def _match_text(scene: Scene, rng) -> Exchange:
    """A helper for the choices: the answer stands in the question, only its letter is to be found."""
    question = sample_question(scene, rng)
    return Exchange(f"{question.sentence} {question.choice_prompt}", question.letter)


TASKS: dict[str, Callable[[Scene, np.random.RandomState], Exchange]] = {
    "identify": _identify,
    "several": _identify_several,
    "absent": _identify_absent,
    "where": _what_is_where,
    "describe": _describe,
    "choice": _choice,
    "open": _open,
    "match": _match_text,
}


def sample_exchanges(scene: Scene, rng: np.random.RandomState, shares: dict[str, float], count: int) -> list[Exchange]:
    """`count` prompts with their answers, of the tasks named in `shares` (which add up to 1)."""
    tasks = rng.choice(list(shares), size=count, p=list(shares.values()))
    return [TASKS[task](scene, rng) for task in tasks]


# Pairs: change one thing in a scene, so that the same question has the other answer.


def sample_pair(rng: np.random.RandomState, kind: str) -> Pair:
    """Two scenes that differ in what a question of this kind asks about."""
    while True:
        for pair in _try_pair(rng, kind):
            return _swap(pair) if rng.randint(2) else pair


def _swap(pair: Pair) -> Pair:
    return pair._replace(scenes=pair.scenes[::-1], questions=pair.questions[::-1], targets=pair.targets[::-1])


def _try_pair(rng, kind: str) -> Iterator[Pair]:
    scene = sample_scene(rng)
    index = int(rng.randint(len(scene.shapes)))
    target = scene.shapes[index]
    changed = _CHANGES[kind](scene, index, rng)
    if changed is None or not are_apart(changed.shapes):
        return
    if kind in ("beside", "above"):
        axis = 1 if kind == "beside" else 0
        other = next(i for i, (a, b) in enumerate(zip(scene.shapes, changed.shapes)) if a != b and i != index)
        questions = tuple(_relation_question(s.shapes[index], s.shapes[other], axis) for s in (scene, changed))
    elif kind == "color":
        was, is_now = target, changed.shapes[index]
        questions = (_color_question(was, is_now.color), _color_question(is_now, was.color))
    elif kind == "presence":
        questions = tuple(_ask_presence(s, target, rng) for s in (scene, changed))
    else:
        questions = tuple(ASKERS[kind](s, s.shapes[index], rng) for s in (scene, changed))
    if None in questions or questions[0].text != questions[1].text or questions[0].right == questions[1].right:
        return
    expression = {"color": f"the {target.kind}", "count": f"the {plural(target.kind)}"}.get(kind, f"the {target.name}")
    yield Pair(kind, (scene, changed), questions, expression, _targets(kind, scene, changed, target))


def _targets(kind: str, scene: Scene, changed: Scene, target: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes the expression refers to: those of the kind, for questions that name only it."""

    def refers(shape: Shape) -> bool:
        return shape.kind == target.kind and (kind in ("color", "count") or shape.color == target.color)

    return tuple(tuple(i for i, shape in enumerate(s.shapes) if refers(shape)) for s in (scene, changed))


def _with(scene: Scene, index: int, shape: Shape) -> Scene:
    return scene._replace(shapes=(*scene.shapes[:index], shape, *scene.shapes[index + 1 :]))


def _mirror(scene: Scene, index: int, rng, axis: int) -> Scene | None:
    target = scene.shapes[index]
    cell = list(target.cell)
    cell[axis] = 2 - cell[axis]
    if target.cell[axis] == 1 or any(shape.cell == tuple(cell) for shape in scene.shapes):
        return None
    moved = sample_shape(rng, target.color, target.kind, tuple(cell), target.size)
    return _with(scene, index, moved._replace(points_up=target.points_up))


def _repaint(scene: Scene, index: int, rng) -> Scene | None:
    target = scene.shapes[index]
    if scene.count(target.kind) != 1:
        return None
    return _with(scene, index, target._replace(color=_other_color(scene, target, rng)))


def _resize(scene: Scene, index: int, rng) -> Scene:
    target = scene.shapes[index]
    size = "small" if target.size == "large" else "large"
    return _with(scene, index, sample_shape(rng, target.color, target.kind, target.cell, size))


def _remove(scene: Scene, index: int, rng) -> Scene | None:
    target = scene.shapes[index]
    if len(scene.shapes) > 2 and rng.randint(2):
        return scene._replace(shapes=(*scene.shapes[:index], *scene.shapes[index + 1 :]))
    like = absent_shape(scene, rng)
    kept = {"kind": like.kind} if rng.randint(2) else {"color": like.color}
    replaced = target._replace(**kept)
    return None if scene.has(replaced.color, replaced.kind) else _with(scene, index, replaced)


def _add_like(scene: Scene, index: int, rng) -> Scene | None:
    target = scene.shapes[index]
    free = [(c // 3, c % 3) for c in range(9) if (c // 3, c % 3) not in {shape.cell for shape in scene.shapes}]
    if scene.count(target.kind) != 1 or len(scene.shapes) > 3:
        return None
    color = pick(rng, [c for c in COLORS if c != target.color])
    return scene._replace(shapes=(*scene.shapes, sample_shape(rng, color, target.kind, pick(rng, free))))


def _exchange_places(scene: Scene, index: int, rng, axis: int) -> Scene | None:
    target, other = scene.shapes[index], int(rng.randint(len(scene.shapes)))
    beside = scene.shapes[other]
    if beside.cell[axis] == target.cell[axis]:
        return None
    place = {"cell": target.cell, "cx": target.cx, "cy": target.cy}
    moved = _with(scene, index, target._replace(cell=beside.cell, cx=beside.cx, cy=beside.cy))
    return _with(moved, other, beside._replace(**place))


def _turn(scene: Scene, index: int, rng) -> Scene:
    target = scene.shapes[index]
    return _with(scene, index, target._replace(points_up=not target.points_up))


_CHANGES: dict[str, Callable[..., Scene | None]] = {
    "side": lambda scene, index, rng: _mirror(scene, index, rng, axis=1),
    "height": lambda scene, index, rng: _mirror(scene, index, rng, axis=0),
    "color": _repaint,
    "size": _resize,
    "presence": _remove,
    "count": _add_like,
    "beside": lambda scene, index, rng: _exchange_places(scene, index, rng, axis=1),
    "above": lambda scene, index, rng: _exchange_places(scene, index, rng, axis=0),
    "orientation": _turn,
}
