"""Pairs of scenes. One thing differs between the two, so that the same question has the opposite answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pixfound_tasks.mini.questions import ASKERS, Question, ask_presence
from pixfound_tasks.mini.references import absent_thing
from pixfound_tasks.mini.scenes import Scene, draw, fits, overlap, pick, sample_scene, sample_thing
from pixfound_tasks.mini.things import COLORS, EXTRA_PART, FORMS, LETTERS, SECOND_PART, STATES, VIEWS, Thing

_LEAST_VISIBLE = 12  # pixels of what a question is about


class Pair(NamedTuple):
    """Two scenes for which the same question has opposite answers, each with its reference."""

    topic: str
    scenes: tuple[Scene, Scene]
    questions: tuple[Question, Question]

    @property
    def expression(self) -> str:
        return self.questions[0].reference.expression


class _Change(NamedTuple):
    """A changed scene. `target` is the thing in it, `asked` what each of the two questions is about besides."""

    scene: Scene
    target: int
    asked: tuple[Any, Any] = (None, None)


def sample_pair(rng: np.random.RandomState, topic: str, small: bool = False) -> Pair:
    """Draw two scenes that differ in the property that the topic is about. `small` things are half as wide and high."""
    while True:
        pair = _try_pair(rng, topic, small)
        if pair:
            return pair._replace(scenes=pair.scenes[::-1], questions=pair.questions[::-1]) if rng.randint(2) else pair


def _try_pair(rng: np.random.RandomState, topic: str, small: bool) -> Pair | None:
    """Return a pair made from one drawn scene, or None if no pair on this topic can be made from it."""
    scene = _halved(sample_scene(rng)) if small else sample_scene(rng)
    index = int(rng.randint(len(scene.things)))
    change = _CHANGES[topic](scene, index, rng)
    if change is None or not fits(change.scene):
        return None
    if topic == "presence":
        thing = scene.things[index]
        questions = ask_presence(scene, thing), ask_presence(change.scene, thing)
    else:
        first = ASKERS[topic](scene, index, change.asked[0])
        second = ASKERS[topic](change.scene, change.target, change.asked[1])
        if first is None or second is None:
            return None
        questions = first, second
    first, second = questions
    if first[:2] != second[:2] or first.right == second.right:
        return None
    if first.reference.expression != second.reference.expression:
        return None
    pair = Pair(topic, (scene, change.scene), questions)
    return pair if all(map(_is_visible, pair.scenes, pair.questions)) else None


def _is_visible(scene: Scene, question: Question) -> bool:
    """Whether each thing or part that a question refers to can be seen."""
    _, things, part = question.reference
    drawing = draw(scene)
    return all(drawing.mask(scene, (thing,), part).sum() >= _LEAST_VISIBLE for thing in things)


def _halved(scene: Scene) -> Scene:
    return scene._replace(things=tuple(thing._replace(radius=thing.radius // 2) for thing in scene.things))


def replaced(thing: Thing, name: str, value: Any) -> Thing:
    """Return a thing with another value of the field of this name."""
    return Thing(**{**thing._asdict(), name: value})


def _toggle(name: str, kinds: Any) -> Callable[[Scene, int, np.random.RandomState], _Change | None]:
    """Return a function that changes a property of a thing with two values."""

    def change(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
        thing = scene.things[index]
        if thing.kind not in kinds:
            return None
        return _Change(scene.replace_thing(index, replaced(thing, name, not getattr(thing, name))), index)

    return change


def _mirror(axis: str) -> Callable[[Scene, int, np.random.RandomState], _Change]:
    """Return a function that moves a thing to the other side of the image."""

    def change(scene: Scene, index: int, rng: np.random.RandomState) -> _Change:
        thing, side = scene.things[index], 8 * (scene.width if axis == "cx" else scene.height)
        return _Change(scene.replace_thing(index, replaced(thing, axis, side - getattr(thing, axis))), index)

    return change


def _exchange(scene: Scene, index: int, rng: np.random.RandomState) -> _Change:
    """Exchange the places of two things."""
    a, other = scene.things[index], int(rng.randint(len(scene.things)))
    b = scene.things[other]
    moved = scene.replace_thing(index, a._replace(cx=b.cx, cy=b.cy))
    return _Change(moved.replace_thing(other, b._replace(cx=a.cx, cy=a.cy)), index, (other, other))


def _reorder(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    """Bring to the front the one of two things that is behind the other."""
    thing = scene.things[index]
    near = [i for i, other in enumerate(scene.things) if i != index and overlap(thing, other)]
    if not near:
        return None
    other = near[0]
    things = list(scene.things)
    things[index], things[other] = things[other], things[index]
    return _Change(scene._replace(things=tuple(things)), other, (other, index))


def _repaint(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    thing = scene.things[index]
    color = pick(rng, list(COLORS))
    if color in (thing.color, thing.second):
        return None
    return _Change(scene.replace_thing(index, thing._replace(color=color)), index, (color, thing.color))


def _repaint_part(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    thing = scene.things[index]
    color = pick(rng, list(COLORS))
    if thing.kind not in SECOND_PART or color in (thing.color, thing.second):
        return None
    return _Change(scene.replace_thing(index, thing._replace(second=color)), index, (color, thing.second))


def _rewrite(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    thing, letter = scene.things[index], pick(rng, list(LETTERS))
    if thing.kind != "sign" or letter == thing.letter:
        return None
    return _Change(scene.replace_thing(index, thing._replace(letter=letter)), index, (letter, thing.letter))


def _remove(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    """Remove a thing, or replace it with one of its color or kind."""
    if len(scene.things) > 2 and rng.randint(2):
        return _Change(scene._replace(things=scene.things[:index] + scene.things[index + 1 :]), index)
    thing, like = scene.things[index], absent_thing(scene, rng)
    other = thing._replace(kind=like.kind) if rng.randint(2) else thing._replace(color=like.color)
    return None if scene.has(other.color, other.kind) else _Change(scene.replace_thing(index, other), index)


def _add_like(scene: Scene, index: int, rng: np.random.RandomState) -> _Change | None:
    """Add a thing of the same kind and another color."""
    thing, count = scene.things[index], scene.count(scene.things[index].kind)
    colors = [color for color in COLORS if not scene.has(color, thing.kind)]
    if count > 2 or len(scene.things) > 3:
        return None
    cx, cy = int(rng.randint(8 * scene.width)), int(rng.randint(8 * scene.height))
    added = sample_thing(rng, pick(rng, colors), thing.kind, cx, cy)
    return _Change(scene._replace(things=(*scene.things, added)), index, (count + 1, count))


_CHANGES: dict[str, Callable[[Scene, int, np.random.RandomState], _Change | None]] = {
    "extra": _toggle("extra", EXTRA_PART),
    "presence": _remove,
    "side": _mirror("cx"),
    "height": _mirror("cy"),
    "beside": _exchange,
    "above": _exchange,
    "front": _reorder,
    "state": _toggle("state", STATES),
    "color": _repaint,
    "part color": _repaint_part,
    "view": _toggle("view", VIEWS),
    "count": _add_like,
    "facing": _toggle("faces_right", ("car", "fish", "cup")),
    "form": _toggle("form", FORMS),
    "letter": _rewrite,
}
