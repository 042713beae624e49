"""What things look like: convex polygons, ovals, rings and letters on an integer grid, painted one over the other.

A thing reaches from about -64 to 64 on both axes, and y points down. All numbers are integers, so drawings have the
same bits on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COLORS = {
    "red": (214, 44, 40),
    "green": (44, 160, 62),
    "blue": (44, 84, 214),
    "yellow": (236, 206, 48),
    "purple": (148, 56, 186),
    "black": (34, 34, 38),
}
KINDS = ("house", "car", "cup", "lamp", "fish", "sign")
LETTERS = {
    "H": ("X   X", "X   X", "X   X", "XXXXX", "X   X", "X   X", "X   X"),
    "L": ("X    ", "X    ", "X    ", "X    ", "X    ", "X    ", "XXXXX"),
    "O": (" XXX ", "X   X", "X   X", "X   X", "X   X", "X   X", " XXX "),
    "T": ("XXXXX", "  X  ", "  X  ", "  X  ", "  X  ", "  X  ", "  X  "),
    "Z": ("XXXXX", "    X", "   X ", "  X  ", " X   ", "X    ", "XXXXX"),
}
# The part that has the second color, that may be missing, and all that can be referred to.
SECOND_PART = {"house": "roof", "lamp": "stand", "fish": "tail"}
EXTRA_PART = {"house": "chimney", "car": "roof rack", "cup": "handle", "fish": "fin"}
PARTS = {
    "house": ("roof", "door", "chimney"),
    "car": ("wheels", "window", "roof rack"),
    "cup": ("handle",),
    "lamp": ("shade", "stand"),
    "fish": ("tail", "fin", "eye"),
    "sign": ("plate", "letter", "pole"),
}
# What the two values of a thing's properties are called, for the kinds that show them.
STATES = {"house": ("closed", "open"), "cup": ("empty", "full"), "lamp": ("off", "on")}
FORMS = {"house": ("flat", "pointed"), "fish": ("plain", "striped"), "sign": ("round", "square")}
VIEWS = {"car": ("side", "front"), "cup": ("side", "above")}

Color = tuple[int, int, int]
_DARK, _GREY, _LIGHT, _WHITE = (40, 38, 40), (122, 122, 126), (206, 210, 214), (240, 240, 236)
_BROWN, _GLASS, _GLOW, _COFFEE, _BRICK = (122, 84, 54), (170, 200, 220), (255, 240, 150), (92, 58, 34), (150, 92, 74)


class Thing(NamedTuple):
    """One thing. `cx`, `cy` and `radius` are in eighths of a pixel.

    `state`, `form`, `view` and `extra` are the properties that questions are about. Kinds that lack one ignore it.
    """

    kind: str
    color: str
    second: str
    cx: int
    cy: int
    radius: int
    faces_right: bool
    state: bool
    form: bool
    view: bool
    extra: bool
    letter: str
    tint: tuple[int, int, int]
    shade: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.color} {self.kind}"

    def has(self, part: str) -> bool:
        """Whether this thing has the part in its view."""
        return any(each.part == part for each in outline(self))


class Piece(NamedTuple):
    """A painted piece of a thing. `shape` is "polygon" (clockwise corners), "oval" or "ring".

    Ovals have (x, y, radius x, radius y), rings also the radius of the hole. Pieces without a part have part "".
    """

    part: str
    color: Color
    shape: str
    numbers: tuple[int, ...]


def outline(thing: Thing) -> tuple[Piece, ...]:
    """Return the pieces of a thing that faces left, in the order in which they are painted."""
    return tuple(_PIECES[thing.kind](thing, COLORS[thing.color], COLORS[thing.second]))


def _bar(part: str, color: Color, x0: int, y0: int, x1: int, y1: int) -> Piece:
    return Piece(part, color, "polygon", (x0, y0, x1, y0, x1, y1, x0, y1))


def _oval(part: str, color: Color, *numbers: int) -> Piece:
    return Piece(part, color, "oval", numbers)


def _polygon(part: str, color: Color, *numbers: int) -> Piece:
    return Piece(part, color, "polygon", numbers)


def _house(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    if thing.extra:
        yield _bar("chimney", _BRICK, 20, -62, 40, -8)
    yield _bar("", main, -46, -8, 46, 60)
    if thing.form:
        yield _polygon("roof", second, 0, -60, 60, -6, -60, -6)
    else:
        yield _bar("roof", second, -58, -30, 58, -6)
    yield _bar("door", _DARK if thing.state else _BROWN, -16, 14, 16, 60)
    if thing.state:
        yield _polygon("door", _LIGHT, -16, 14, -6, 20, -6, 62, -16, 60)
    else:
        yield _oval("door", _GLOW, 9, 38, 4, 4)


def _car(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    if thing.extra:
        yield _bar("roof rack", _GREY, -26 if thing.view else -18, -50, 26 if thing.view else 42, -36)
    if thing.view:
        yield _bar("wheels", _DARK, -42, 20, -22, 48)
        yield _bar("wheels", _DARK, 22, 20, 42, 48)
        yield _polygon("", main, -28, -38, 28, -38, 40, 0, -40, 0)
        yield _bar("", main, -46, -2, 46, 34)
        yield _polygon("window", _GLASS, -22, -32, 22, -32, 32, -4, -32, -4)
        yield _oval("", _WHITE, -32, 14, 9, 9)
        yield _oval("", _WHITE, 32, 14, 9, 9)
        return
    yield _polygon("", main, -14, -38, 44, -38, 56, 0, -30, 0)
    yield _bar("", main, -62, -4, 60, 30)
    yield _polygon("window", _GLASS, -10, -32, 38, -32, 46, -4, -22, -4)
    yield _oval("", _GLOW, -57, 8, 6, 8)
    for x in (-34, 34):
        yield _oval("wheels", _DARK, x, 32, 17, 17)
        yield _oval("wheels", _LIGHT, x, 32, 6, 6)


def _cup(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    inside = _COFFEE if thing.state else _WHITE
    if thing.view:
        if thing.extra:
            yield _bar("handle", main, -64, -8, -30, 8)
        yield _oval("", main, 4, 0, 44, 44)
        yield _oval("", inside, 4, 0, 34, 34)
        return
    if thing.extra:
        yield Piece("handle", main, "ring", (-34, 4, 26, 28, 14))
    yield _polygon("", main, -34, -40, 42, -40, 32, 54, -24, 54)
    yield _oval("", main, 4, -40, 38, 14)
    yield _oval("", inside, 4, -40, 31, 10)


def _lamp(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    yield _bar("stand", second, -6, -10, 6, 50)
    yield _oval("stand", second, 0, 52, 30, 9)
    yield _oval("", _GLOW if thing.state else _GREY, 0, -2, 18, 17)
    yield _polygon("shade", main, -22, -58, 22, -58, 42, -6, -42, -6)
    if thing.state:
        yield _polygon("shade", _GLOW, -14, -20, 14, -20, 22, -6, -22, -6)


def _fish(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    yield _polygon("tail", second, 26, 0, 62, -30, 54, 0, 62, 30)
    if thing.extra:
        yield _polygon("fin", second, -12, -22, 22, -52, 22, -16)
    yield _oval("", main, -10, 0, 48, 30)
    if thing.form:
        yield _bar("", _WHITE, -14, -27, -5, 27)
        yield _bar("", _WHITE, 8, -25, 17, 25)
    yield _oval("eye", _WHITE, -38, -6, 9, 9)
    yield _oval("eye", _DARK, -39, -6, 4, 4)


def _sign(thing: Thing, main: Color, second: Color) -> Iterator[Piece]:
    yield _bar("pole", _GREY, -6, 14, 6, 64)
    if thing.form:
        yield _bar("plate", main, -44, -62, 44, 20)
    else:
        yield _oval("plate", main, 0, -20, 46, 42)
    ink = _DARK if thing.color == "yellow" else _WHITE
    for row, line in enumerate(LETTERS[thing.letter]):
        for run in re.finditer("X+", line):
            x0, x1, y = -20 + 8 * run.start(), -20 + 8 * run.end(), -48 + 8 * row
            # Letters are not mirrored with the thing.
            yield _bar("letter", ink, -x1 if thing.faces_right else x0, y, -x0 if thing.faces_right else x1, y + 8)


_PIECES = {"house": _house, "car": _car, "cup": _cup, "lamp": _lamp, "fish": _fish, "sign": _sign}
