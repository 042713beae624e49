"""What referring expressions refer to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pixfound_tasks.mini.scenes import Scene, pick, sample_thing
from pixfound_tasks.mini.things import COLORS, KINDS, Thing


class Reference(NamedTuple):
    """What a referring expression refers to: things by index, or one part of them. No things: it is absent."""

    expression: str
    things: tuple[int, ...]
    part: str = ""


def plural(kind: str) -> str:
    """Return the plural of a kind of thing."""
    return "fish" if kind == "fish" else f"{kind}s"


def to_kind(scene: Scene, kind: str) -> Reference:
    """Return the reference to all things of a kind."""
    found = tuple(i for i, thing in enumerate(scene.things) if thing.kind == kind)
    return Reference(f"the {plural(kind)}", found)


def to_thing(thing: Thing, index: int) -> Reference:
    """Return the reference to one thing."""
    return Reference(f"the {thing.name}", (index,))


def to_part(thing: Thing, index: int, part: str) -> Reference:
    """Return the reference to a part of a thing, which may lack it."""
    found = (index,) if thing.has(part) else ()
    return Reference(f"the {part} of the {thing.name}", found, part)


def absent_thing(scene: Scene, rng: np.random.RandomState) -> Thing:
    """Draw a thing that the scene lacks. It usually shares its color or kind with a thing of the scene."""
    while True:
        color, kind = pick(rng, list(COLORS)), pick(rng, KINDS)
        if rng.randint(10) < 7:
            like = pick(rng, scene.things)
            color, kind = (like.color, kind) if rng.randint(2) else (color, like.kind)
        if not scene.has(color, kind):
            return sample_thing(rng, color, kind)
