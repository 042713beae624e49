"""Drawn scenes: a few colored shapes on a textured background, with exact masks.

The code uses only integer arithmetic, single IEEE operations and numpy's frozen `RandomState`. A seed therefore gives
the same bits on every machine and with every release of numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

SIZE = 112
COLORS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (40, 80, 220),
    "yellow": (240, 210, 40),
    "purple": (150, 50, 190),
    "black": (30, 30, 30),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
PLACES = (("top left", "top", "top right"), ("left", "center", "right"), ("bottom left", "bottom", "bottom right"))
RADII = {"small": (9.5, 11.0), "large": (15.5, 17.5)}
JITTER = {"small": 5.0, "large": 2.0}

_SUBSAMPLES = 4  # per pixel and axis; they give soft edges, and at least half of them must be inside for the mask
_LATTICE = 8  # pixels between the knots of the background texture
_SHADING = 20  # brightness difference between a shape's center and its edge
# Unit normals of a pentagram's five lines. They are constants because libm's sine differs between machines.
_PENTAGRAM = (
    (0.0, 1.0),
    (0.9510565162951535, 0.3090169943749474),
    (0.5877852522924731, -0.8090169943749475),
    (-0.5877852522924731, -0.8090169943749475),
    (-0.9510565162951535, 0.3090169943749474),
)


class Shape(NamedTuple):
    """One shape. Lengths are in pixels. `cell` is (row, column) in a 3x3 grid. `shade` is the brightness gradient."""

    color: str
    kind: str
    size: str
    cell: tuple[int, int]
    cx: float
    cy: float
    radius: float
    points_up: bool
    tint: tuple[int, int, int]
    shade: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.color} {self.kind}"

    @property
    def full_name(self) -> str:
        return f"{self.size} {self.color} {self.kind}"

    @property
    def place(self) -> str:
        place = PLACES[self.cell[0]][self.cell[1]]
        return f"{'in' if place == 'center' else 'at'} the {place} of the image"


class Scene(NamedTuple):
    """Shapes that do not touch. The background has brightness `ground` and a texture drawn from `texture_seed`."""

    shapes: tuple[Shape, ...]
    ground: int
    texture_seed: int

    def has(self, color: str, kind: str) -> bool:
        return any((shape.color, shape.kind) == (color, kind) for shape in self.shapes)

    def count(self, kind: str) -> int:
        return sum(shape.kind == kind for shape in self.shapes)


class Drawing(NamedTuple):
    """A drawn scene.

    `image` is uint8 (112, 112, 3) RGB. `masks` is bool (shapes, 112, 112), in the order of the scene's shapes.
    """

    image: np.ndarray
    masks: np.ndarray


def pick(rng: np.random.RandomState, choices: Sequence[T]) -> T:
    """Return a random item of a sequence. Uses exactly one draw."""
    return choices[rng.randint(len(choices))]


def sample_shape(rng: np.random.RandomState, color: str, kind: str, cell: tuple[int, int], size: str = "") -> Shape:
    """Draw a shape at a random position in its cell (row, column). The size is random unless it is given."""
    size = size or pick(rng, ("small", "large"))
    radius = rng.uniform(*RADII[size])
    margin = radius * 1.15 + 1
    row, column = cell
    cx, cy = (
        min(max((index + 0.5) * SIZE / 3 + rng.uniform(-JITTER[size], JITTER[size]), margin), SIZE - 1 - margin)
        for index in (column, row)
    )
    return Shape(
        color, kind, size, (int(row), int(column)), cx, cy, radius,
        points_up=bool(rng.randint(2)),
        tint=tuple(rng.randint(-12, 13, 3).tolist()),
        shade=(int(rng.randint(-1, 2)), int(rng.randint(-1, 2))),
    )  # fmt: skip


def sample_scene(rng: np.random.RandomState, count: int = 0) -> Scene:
    """Draw a scene of `count` shapes (2 to 4 if 0). No two shapes have the same color and kind."""
    count = count or int(rng.randint(2, 5))
    while True:
        kinds = rng.permutation(len(COLORS) * len(SHAPES))[:count]
        cells = rng.permutation(9)[:count]
        shapes = tuple(
            sample_shape(rng, list(COLORS)[k // len(SHAPES)], SHAPES[k % len(SHAPES)], (cell // 3, cell % 3))
            for k, cell in zip(kinds, cells)
        )
        scene = Scene(shapes, int(rng.randint(185, 240)), int(rng.randint(2**31 - 1)))
        if are_apart(scene.shapes):
            return scene


def are_apart(shapes: tuple[Shape, ...]) -> bool:
    """Whether all shapes are at least two pixels apart."""
    return all(
        max(abs(a.cx - b.cx), abs(a.cy - b.cy)) >= 1.05 * (a.radius + b.radius) + 2
        for i, a in enumerate(shapes)
        for b in shapes[:i]
    )


def draw(scene: Scene) -> Drawing:
    """Draw a scene: a textured background, then each shape with a brightness gradient and soft edges, then grain."""
    grain = np.random.RandomState(scene.texture_seed)
    canvas = scene.ground + _texture(grain)
    masks = np.zeros((len(scene.shapes), SIZE, SIZE), bool)
    for mask, shape in zip(masks, scene.shapes):
        _stamp(shape, canvas, mask)
    canvas += grain.randint(-3, 4, canvas.shape)
    return Drawing(np.clip(canvas, 0, 255).astype(np.uint8), masks)


def _texture(rng: np.random.RandomState) -> np.ndarray:
    """Return smooth offsets in -6..6, int (112, 112, 3): random knots, interpolated bilinearly in integers."""
    step = _LATTICE
    knots = rng.randint(-6, 7, (SIZE // step + 1, SIZE // step + 1, 3))
    at, between = np.divmod(np.arange(SIZE), step)
    between = between[:, None, None]
    rows = knots[at] * (step - between) + knots[at + 1] * between
    across = between.reshape(1, -1, 1)
    return (rows[:, at] * (step - across) + rows[:, at + 1] * across) // step**2


def _stamp(shape: Shape, canvas: np.ndarray, mask: np.ndarray) -> None:
    """Blend a shape into the canvas in proportion to the covered subsamples of each pixel, and fill in its mask."""
    reach, full = shape.radius * 1.2, _SUBSAMPLES**2
    x0, y0 = (max(int(c - reach), 0) for c in (shape.cx, shape.cy))
    x1, y1 = (min(int(c + reach) + 2, SIZE) for c in (shape.cx, shape.cy))
    lines = (np.arange(SIZE * _SUBSAMPLES) + 0.5) / _SUBSAMPLES
    u = (lines[None, x0 * _SUBSAMPLES : x1 * _SUBSAMPLES] - shape.cx) / shape.radius
    v = (lines[y0 * _SUBSAMPLES : y1 * _SUBSAMPLES, None] - shape.cy) / shape.radius
    cover = _inside(shape, u, v).reshape(y1 - y0, _SUBSAMPLES, x1 - x0, _SUBSAMPLES).sum((1, 3))
    mask[y0:y1, x0:x1] = cover * 2 >= full

    slope = shape.shade[0] * u[:, ::_SUBSAMPLES] + shape.shade[1] * v[::_SUBSAMPLES]
    brightness = np.floor(np.clip(slope, -1, 1) * _SHADING).astype(int)
    paint = np.asarray(COLORS[shape.color]) + np.asarray(shape.tint) + brightness[..., None]
    box, cover = canvas[y0:y1, x0:x1], cover[..., None]
    box[:] = (box * (full - cover) + paint * cover) // full


def _inside(shape: Shape, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether the points (u, v), in radii from the center, belong to the shape."""
    if shape.kind == "circle":
        return u * u + v * v <= 1
    if shape.kind == "square":
        return np.maximum(abs(u), abs(v)) <= 0.88
    if shape.kind == "triangle":
        down = v if shape.points_up else -v
        return (down <= 0.8) & (abs(u) * 1.8 <= down + 1)
    if shape.kind == "star":
        # A point is in the pentagram if it is on the inner side of at least four of the five lines.
        return np.sum([nx * u - ny * v <= 0.35 for nx, ny in _PENTAGRAM], axis=0) >= 4
    bar, across = (abs(u) <= 1) & (abs(v) <= 0.36), (abs(u) <= 0.36) & (abs(v) <= 1)
    return bar | across
