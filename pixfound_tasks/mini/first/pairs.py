"""Pairs of scenes. One thing differs between the two, so that the same question has the opposite answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.first.questions import (
    ASKERS,
    Question,
    absent_shape,
    ask_presence,
    color_question,
    other_color,
    plural,
    relation_question,
)
from pixfound_tasks.mini.first.scenes import COLORS, Scene, Shape, are_apart, pick, sample_scene, sample_shape


class Pair(NamedTuple):
    """Two scenes for which the same question has opposite answers.

    `expression` refers to the target shapes. `targets` are their indices in each scene, empty if they are absent.
    """

    kind: str
    scenes: tuple[Scene, Scene]
    questions: tuple[Question, Question]
    expression: str
    targets: tuple[tuple[int, ...], tuple[int, ...]]


def sample_pair(rng: np.random.RandomState, kind: str) -> Pair:
    """Draw two scenes that differ in the property that this kind of question is about."""
    while True:
        pair = _try_pair(rng, kind)
        if pair:
            return _swap(pair) if rng.randint(2) else pair


def _swap(pair: Pair) -> Pair:
    return pair._replace(scenes=pair.scenes[::-1], questions=pair.questions[::-1], targets=pair.targets[::-1])


def _try_pair(rng: np.random.RandomState, kind: str) -> Pair | None:
    """Return a pair made from one drawn scene, or None if this kind of question cannot be made from the scene."""
    scene = sample_scene(rng)
    index = int(rng.randint(len(scene.shapes)))
    target = scene.shapes[index]
    changed = _CHANGES[kind](scene, index, rng)
    if changed is None or not are_apart(changed.shapes):
        return None
    questions: Sequence[Question | None]
    if kind in ("beside", "above"):
        axis = 1 if kind == "beside" else 0
        other = next(i for i, (a, b) in enumerate(zip(scene.shapes, changed.shapes)) if a != b and i != index)
        questions = [relation_question(s.shapes[index], s.shapes[other], axis) for s in (scene, changed)]
    elif kind == "color":
        was, is_now = target, changed.shapes[index]
        questions = [color_question(was, is_now.color), color_question(is_now, was.color)]
    elif kind == "presence":
        questions = [ask_presence(s, target, rng) for s in (scene, changed)]
    else:
        questions = [ASKERS[kind](s, s.shapes[index], rng) for s in (scene, changed)]
    first, second = questions
    if first is None or second is None or first.text != second.text or first.right == second.right:
        return None
    expression = {"color": f"the {target.kind}", "count": f"the {plural(target.kind)}"}.get(kind, f"the {target.name}")
    return Pair(kind, (scene, changed), (first, second), expression, _targets(kind, scene, changed, target))


def _targets(kind: str, scene: Scene, changed: Scene, target: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the indices of the shapes that the expression refers to, in each of the two scenes.

    If the question does not name a color, these are all shapes of the target's kind.
    """

    def refers(shape: Shape) -> bool:
        return shape.kind == target.kind and (kind in ("color", "count") or shape.color == target.color)

    def referred(scene: Scene) -> tuple[int, ...]:
        return tuple(i for i, shape in enumerate(scene.shapes) if refers(shape))

    return referred(scene), referred(changed)


def _with(scene: Scene, index: int, shape: Shape) -> Scene:
    return scene._replace(shapes=(*scene.shapes[:index], shape, *scene.shapes[index + 1 :]))


def _mirror(scene: Scene, index: int, rng: np.random.RandomState, axis: int) -> Scene | None:
    target = scene.shapes[index]
    row, column = target.cell
    cell = (row, 2 - column) if axis == 1 else (2 - row, column)
    if target.cell[axis] == 1 or any(shape.cell == cell for shape in scene.shapes):
        return None
    moved = sample_shape(rng, target.color, target.kind, cell, target.size)
    return _with(scene, index, moved._replace(points_up=target.points_up))


def _repaint(scene: Scene, index: int, rng: np.random.RandomState) -> Scene | None:
    target = scene.shapes[index]
    if scene.count(target.kind) != 1:
        return None
    return _with(scene, index, target._replace(color=other_color(scene, target, rng)))


def _resize(scene: Scene, index: int, rng: np.random.RandomState) -> Scene:
    target = scene.shapes[index]
    size = "small" if target.size == "large" else "large"
    return _with(scene, index, sample_shape(rng, target.color, target.kind, target.cell, size))


def _remove(scene: Scene, index: int, rng: np.random.RandomState) -> Scene | None:
    target = scene.shapes[index]
    if len(scene.shapes) > 2 and rng.randint(2):
        return scene._replace(shapes=(*scene.shapes[:index], *scene.shapes[index + 1 :]))
    like = absent_shape(scene, rng)
    replaced = target._replace(kind=like.kind) if rng.randint(2) else target._replace(color=like.color)
    return None if scene.has(replaced.color, replaced.kind) else _with(scene, index, replaced)


def _add_like(scene: Scene, index: int, rng: np.random.RandomState) -> Scene | None:
    target = scene.shapes[index]
    free = [(c // 3, c % 3) for c in range(9) if (c // 3, c % 3) not in {shape.cell for shape in scene.shapes}]
    if scene.count(target.kind) != 1 or len(scene.shapes) > 3:
        return None
    color = pick(rng, [c for c in COLORS if c != target.color])
    return scene._replace(shapes=(*scene.shapes, sample_shape(rng, color, target.kind, pick(rng, free))))


def _exchange_places(scene: Scene, index: int, rng: np.random.RandomState, axis: int) -> Scene | None:
    target, other = scene.shapes[index], int(rng.randint(len(scene.shapes)))
    beside = scene.shapes[other]
    if beside.cell[axis] == target.cell[axis]:
        return None
    moved = _with(scene, index, target._replace(cell=beside.cell, cx=beside.cx, cy=beside.cy))
    return _with(moved, other, beside._replace(cell=target.cell, cx=target.cx, cy=target.cy))


def _turn(scene: Scene, index: int, rng: np.random.RandomState) -> Scene:
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
