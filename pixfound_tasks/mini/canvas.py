"""Painting with integers: photograph-like grounds, shadows, shading and grain, and exact masks of things and parts."""

from __future__ import annotations

import numpy as np

from pixfound_tasks.mini.things import PARTS, Piece, Thing, outline

GROUNDS = ("plain", "gradient", "horizon", "noise")
_SUBSAMPLES = 2  # per pixel and axis; at least half of them must be inside for the mask
_SHADING = 18  # brightness difference between the middle of a thing and its edge
_UNIT = 256  # a thing's radius while painting; outlines have 64


class Canvas:
    """An image under construction.

    Attributes:
        pixels: int (height, width, 3) RGB.
        owner: the index of the thing that is seen in each pixel, int (height, width). -1 is the ground.
        part: the index of the part in `PARTS` of the owner's kind that is seen in each pixel. -1 is no part.
    """

    def __init__(self, width: int, height: int, ground: str, rng: np.random.RandomState) -> None:
        self.pixels = paint_ground(width, height, ground, rng)
        self.owner = np.full((height, width), -1, np.int16)
        self.part = np.full((height, width), -1, np.int16)

    def add(self, index: int, thing: Thing) -> None:
        """Paint a thing with its shadow over what is there."""
        self._shadow(thing)
        for piece in outline(thing):
            self._paint(index, thing, piece)

    def finish(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the image with grain, uint8 (height, width, 3) RGB."""
        grainy = self.pixels + rng.randint(-5, 6, (*self.pixels.shape[:2], 1)) + rng.randint(-2, 3, self.pixels.shape)
        return np.clip(grainy, 0, 255).astype(np.uint8)

    def clutter(self, count: int, rng: np.random.RandomState) -> None:
        """Paint pebbles: small ovals in muted colors, which nothing refers to."""
        height, width = self.owner.shape
        for _ in range(count):
            size = int(rng.randint(12, 34))
            cx, cy, base = int(rng.randint(8 * width)), int(rng.randint(8 * height)), int(rng.randint(70, 200))
            color = tuple((base + rng.randint(-16, 17, 3)).tolist())
            oval = Piece("", color, "oval", (0, 0, 64, int(rng.randint(28, 60))))
            window = _window(oval, cx, cy, size, False, self.owner.shape)
            if window:
                (rows, columns), cover = window
                _blend(self.pixels[rows, columns], cover, np.asarray(color))

    def _shadow(self, thing: Thing) -> None:
        oval = Piece("", (0, 0, 0), "oval", (10, 56, 62, 14))
        window = _window(oval, thing.cx, thing.cy, thing.radius, False, self.owner.shape)
        if window:
            (rows, columns), cover = window
            box = self.pixels[rows, columns]
            box[:] = box * (10 * _SUBSAMPLES**2 - 3 * cover[..., None]) // (10 * _SUBSAMPLES**2)

    def _paint(self, index: int, thing: Thing, piece: Piece) -> None:
        window = _window(piece, thing.cx, thing.cy, thing.radius, thing.faces_right, self.owner.shape)
        if not window:
            return
        (rows, columns), cover = window
        u = 8 * np.arange(columns.start, columns.stop)[None, :] + 4 - thing.cx
        v = 8 * np.arange(rows.start, rows.stop)[:, None] + 4 - thing.cy
        slope = (thing.shade[0] * u + thing.shade[1] * v) * _SHADING // thing.radius
        color = np.asarray(piece.color) + np.asarray(thing.tint)
        _blend(self.pixels[rows, columns], cover, color + np.clip(slope, -_SHADING, _SHADING)[..., None])
        inside = cover * 2 >= _SUBSAMPLES**2
        self.owner[rows, columns][inside] = index
        parts = PARTS[thing.kind]
        self.part[rows, columns][inside] = parts.index(piece.part) if piece.part else -1


def paint_ground(width: int, height: int, ground: str, rng: np.random.RandomState) -> np.ndarray:
    """Return a ground of one of `GROUNDS`, int (height, width, 3).

    It is a color with smooth noise, a gradient, a horizon or strong noise.
    """
    base = rng.randint(150, 226, 3) if rng.randint(3) else np.full(3, rng.randint(150, 226))
    x, y = np.arange(width)[None, :, None], np.arange(height)[:, None, None]
    pixels = np.zeros((height, width, 3), int) + base
    if ground == "gradient":
        pixels = pixels + (x * rng.randint(-40, 41, 3)) // width + (y * rng.randint(-40, 41, 3)) // height
    elif ground == "horizon":
        line, below = int(rng.randint(height // 3, 2 * height // 3)), rng.randint(110, 200, 3)
        pixels = np.where(y < line, pixels + (y * 24) // height, below + ((height - y) * 24) // height)
    strength = 22 if ground == "noise" else 6
    pixels = pixels + _noise(width, height, 24, strength, rng) + _noise(width, height, 7, strength // 2, rng)
    return pixels


def _noise(width: int, height: int, step: int, strength: int, rng: np.random.RandomState) -> np.ndarray:
    """Return smooth offsets up to `strength`, int (height, width, 1): random knots, interpolated in integers."""
    knots = rng.randint(-strength, strength + 1, (height // step + 2, width // step + 2, 1))
    (rows, below), (columns, right) = (np.divmod(np.arange(side), step) for side in (height, width))
    below, right = below[:, None, None], right[None, :, None]
    across = knots[rows] * (step - below) + knots[rows + 1] * below
    return (across[:, columns] * (step - right) + across[:, columns + 1] * right) // step**2


def _blend(box: np.ndarray, cover: np.ndarray, color: np.ndarray) -> None:
    full = _SUBSAMPLES**2
    box[:] = (box * (full - cover[..., None]) + color * cover[..., None]) // full


def _window(
    piece: Piece, cx: int, cy: int, radius: int, mirrored: bool, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Return where a piece is in the image (rows and columns), and how many subsamples of each pixel it covers.

    Returns None if it is outside. `cx`, `cy` and `radius` are in eighths of a pixel.
    """
    x0, y0, x1, y1 = _bounds(piece)
    if mirrored:
        x0, x1 = -x1, -x0
    columns, rows = (
        slice(max((c + low * radius // 64) // 8 - 1, 0), min((c + high * radius // 64) // 8 + 2, side))
        for c, low, high, side in ((cx, x0, x1, shape[1]), (cy, y0, y1, shape[0]))
    )
    if columns.start >= columns.stop or rows.start >= rows.stop:
        return None
    n, step = _SUBSAMPLES, 8 // _SUBSAMPLES
    u = (np.arange(columns.start * n, columns.stop * n) * step + step // 2 - cx) * _UNIT // radius
    v = (np.arange(rows.start * n, rows.stop * n) * step + step // 2 - cy) * _UNIT // radius
    inside = _inside(piece, -u[None, :] if mirrored else u[None, :], v[:, None])
    cover = inside.reshape(rows.stop - rows.start, n, columns.stop - columns.start, n).sum((1, 3))
    return (rows, columns), cover


def _bounds(piece: Piece) -> tuple[int, int, int, int]:
    if piece.shape == "polygon":
        xs, ys = piece.numbers[::2], piece.numbers[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    x, y, rx, ry = piece.numbers[:4]
    return x - rx, y - ry, x + rx, y + ry


def _inside(piece: Piece, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points are inside a piece, bool (rows, columns). Their coordinates have `_UNIT` per radius."""
    scale = _UNIT // 64
    numbers = [scale * number for number in piece.numbers]
    if piece.shape == "polygon":
        corners = list(zip(numbers[::2], numbers[1::2]))
        inside = np.ones((v.shape[0], u.shape[1]), bool)
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]]):
            inside &= (bx - ax) * (v - ay) >= (by - ay) * (u - ax)
        return inside
    x, y, rx, ry = numbers[:4]
    inside = (u - x) ** 2 * ry**2 + (v - y) ** 2 * rx**2 <= rx**2 * ry**2
    if piece.shape == "ring":
        inside &= (u - x) ** 2 + (v - y) ** 2 > numbers[4] ** 2
    return inside
