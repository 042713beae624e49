"""Scenes of data version 3: things with parts on photograph-like grounds, some in front of others, with exact masks.

The code uses only integer arithmetic and numpy's frozen `RandomState`. A seed therefore gives the same bits on every
machine and with every release of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from pixfound_tasks.mini.canvas import GROUNDS, Canvas
from pixfound_tasks.mini.things import COLORS, KINDS, LETTERS, PARTS, Thing

T = TypeVar("T")

SIZES = ((128, 128), (144, 112), (112, 144), (160, 120), (120, 160), (176, 128))  # width, height in pixels
PLACES = (("top left", "top", "top right"), ("left", "center", "right"), ("bottom left", "bottom", "bottom right"))
RADII = (110, 196)  # eighths of a pixel


class Scene(NamedTuple):
    """Things from back to front. `seed` draws the ground, the pebbles and the grain."""

    width: int
    height: int
    things: tuple[Thing, ...]
    ground: str
    pebbles: int
    seed: int

    def count(self, kind: str) -> int:
        return sum(thing.kind == kind for thing in self.things)

    def has(self, color: str, kind: str) -> bool:
        return any((thing.color, thing.kind) == (color, kind) for thing in self.things)

    def cell(self, thing: Thing) -> tuple[int, int]:
        """The row and column of a thing's middle in a grid of three by three."""
        return min(3 * thing.cy // (8 * self.height), 2), min(3 * thing.cx // (8 * self.width), 2)

    def place(self, thing: Thing) -> str:
        row, column = self.cell(thing)
        return f"{'in' if row == column == 1 else 'at'} the {PLACES[row][column]} of the image"

    def is_clear(self, index: int) -> bool:
        """Whether nothing is in front of a thing."""
        return not any(overlap(self.things[index], front) for front in self.things[index + 1 :])

    def replace_thing(self, index: int, thing: Thing) -> Scene:
        return self._replace(things=(*self.things[:index], thing, *self.things[index + 1 :]))


class Drawing(NamedTuple):
    """A drawn scene.

    `image` is uint8 (height, width, 3) RGB. `owner` and `part` are those of `canvas.Canvas`.
    """

    image: np.ndarray
    owner: np.ndarray
    part: np.ndarray

    def mask(self, scene: Scene, things: Sequence[int], part: str = "") -> np.ndarray:
        """Return what is visible of things, or of one of their parts: bool (height, width)."""
        mask = np.zeros(self.owner.shape, bool)
        for index in things:
            own = self.owner == index
            parts = PARTS[scene.things[index].kind]
            mask |= own & (self.part == parts.index(part)) if part else own
        return mask


def pick(rng: np.random.RandomState, choices: Sequence[T]) -> T:
    """Return a random item of a sequence. Uses exactly one draw."""
    return choices[rng.randint(len(choices))]


def overlap(a: Thing, b: Thing) -> bool:
    """Whether one of two things may cover a part of the other."""
    return max(abs(a.cx - b.cx), abs(a.cy - b.cy)) < (a.radius + b.radius) * 95 // 100


def sample_thing(rng: np.random.RandomState, color: str, kind: str, cx: int = 0, cy: int = 0, radius: int = 0) -> Thing:
    """Draw a thing with random properties. The place and the radius are in eighths of a pixel."""
    second = pick(rng, [other for other in COLORS if other != color])
    radius = radius or int(rng.randint(*RADII))
    faces_right, state, form, view, extra = (bool(rng.randint(2)) for _ in range(5))
    letter = pick(rng, list(LETTERS))
    red, green, blue = (int(offset) for offset in rng.randint(-14, 15, 3))
    shade = int(rng.randint(-1, 2)), int(rng.randint(-1, 2))
    return Thing(
        kind, color, second, cx, cy, radius, faces_right, state, form, view, extra, letter, (red, green, blue), shade
    )


def sample_scene(rng: np.random.RandomState, count: int = 0) -> Scene:
    """Draw a scene of `count` things (2 to 4 if 0). No two have the same color and kind, but many look alike."""
    width, height = pick(rng, SIZES)
    count = count or int(rng.randint(2, 5))
    scene = Scene(width, height, (), pick(rng, GROUNDS), int(rng.randint(0, 13)), int(rng.randint(2**31 - 1)))
    while len(scene.things) < count:
        color, kind = _sample_name(rng, scene)
        for _ in range(20):
            thing = _place(rng, scene, color, kind)
            if thing:
                scene = scene._replace(things=(*scene.things, thing))
                break
        else:
            scene = scene._replace(things=())
    return scene


def _sample_name(rng: np.random.RandomState, scene: Scene) -> tuple[str, str]:
    """Draw a color and a kind that no thing has. Half of the time, one of the two is that of another thing."""
    while True:
        color, kind = pick(rng, list(COLORS)), pick(rng, KINDS)
        if scene.things and rng.randint(2):
            like = pick(rng, scene.things)
            color, kind = (like.color, kind) if rng.randint(5) < 2 else (color, like.kind)
        if not scene.has(color, kind):
            return color, kind


def _place(rng: np.random.RandomState, scene: Scene, color: str, kind: str) -> Thing | None:
    """Draw a thing beside all others, or partly in front of one. Returns None if it does not fit."""
    thing = sample_thing(rng, color, kind)
    radius = thing.radius
    behind = pick(rng, scene.things) if scene.things and rng.randint(100) < 10 else None
    if behind:
        both = behind.radius + radius
        near, far = both * int(rng.randint(62, 78)) // 100, both * int(rng.randint(-30, 31)) // 100
        near = near if rng.randint(2) else -near
        dx, dy = (near, far) if rng.randint(4) else (far, near)
        cx, cy = behind.cx + dx, behind.cy + dy
    else:
        cx, cy = (int(rng.randint(8 * side)) for side in (scene.width, scene.height))
    thing = thing._replace(cx=cx, cy=cy)
    if not _is_within(scene, thing) or any(overlap(thing, other) for other in scene.things if other is not behind):
        return None
    return thing


def _is_within(scene: Scene, thing: Thing) -> bool:
    return all(
        thing.radius + 8 <= at <= 8 * side - thing.radius - 8
        for at, side in ((thing.cx, scene.width), (thing.cy, scene.height))
    )


def fits(scene: Scene) -> bool:
    """Whether all things are within the image, no two have the same name, and none covers more than one other."""
    names = {(thing.color, thing.kind) for thing in scene.things}
    covered = [sum(overlap(a, b) for b in scene.things if b is not a) for a in scene.things]
    return len(names) == len(scene.things) and all(_is_within(scene, t) for t in scene.things) and max(covered) <= 1


def draw(scene: Scene) -> Drawing:
    """Draw a scene: the ground, pebbles, each thing with its shadow, then grain."""
    rng = np.random.RandomState(scene.seed)
    canvas = Canvas(scene.width, scene.height, scene.ground, rng)
    canvas.clutter(scene.pebbles, rng)
    for index, thing in enumerate(scene.things):
        canvas.add(index, thing)
    return Drawing(canvas.finish(rng), canvas.owner, canvas.part)
