"""A phrase's attention as a coarse map that is small enough to travel in a response.

In JSON a map is `{"size": [rows, columns], "levels": "..."}`. It has at most 24 cells on the longer side. Each cell is
a level from 0 to 15, relative to the map's maximum, row by row. Two levels share a byte, the first in the high bits; an
odd last level is padded with 0. The bytes are base64. A map of 24 x 24 cells takes 384 characters. The maps of single
tokens are together in `{"size": [rows, columns], "chars": [[0, 3], ...], "levels": ["...", null, ...]}`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

SIDE = 24  # cells on the longer side
TOP = 15  # the highest level
MOST_TOKENS = 1000  # whose maps are in one response
_LONGEST_TEXT = 10**7  # characters


class CoarseMap(NamedTuple):
    """A map over an image: `size` is (rows, columns); `levels` has one byte, 0 to 15, for each cell, row by row."""

    size: tuple[int, int]
    levels: bytes


class TokenMap(NamedTuple):
    """A token's half-open character range in the answer, and its map; None if it is flat or was not recorded."""

    chars: tuple[int, int]
    map: CoarseMap | None = None


class InvalidMap(ValueError):
    """A value that should be a map is not one."""


def coarse_map(values: np.ndarray) -> CoarseMap | None:
    """A map, float (height, width), averaged over cells; None if it is flat or has no positive value.

    Negative values (pixels that a phrase attends to less than its answer does on average) become 0. So does NaN (pixels
    without an image token).
    """
    height, width = values.shape
    return as_levels(cell_means(np.nan_to_num(values.astype(np.float64)), coarse_size((height, width))))


def coarse_size(size: tuple[int, int]) -> tuple[int, int]:
    """The (rows, columns) of the coarse map of an image of `size` (height, width) in pixels."""
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def as_levels(cells: np.ndarray) -> CoarseMap | None:
    """The coarse map of the means of its cells, float (rows, columns); None if it is flat or no mean is positive."""
    top = cells.max()
    if top <= 0:
        return None
    levels = np.rint(TOP * cells.clip(min=0) / top).astype(np.uint8)
    return CoarseMap((cells.shape[0], cells.shape[1]), levels.tobytes()) if np.ptp(levels) else None


def cell_means(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The means of an array (height, width) over a grid of `size` (rows, columns) cells, float64."""
    rows, columns = size
    height, width = values.shape
    return np.asarray(shares(height, rows) @ values @ shares(width, columns).T)


def shares(length: int, cells: int) -> np.ndarray:
    """The fraction of each cell that each pixel along an axis covers, float64 (cells, length); every row sums to 1."""
    edges = np.linspace(0, length, cells + 1)[:, None]
    pixels = np.arange(length)
    return (np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)).clip(min=0) * cells / length


def to_fields(found: CoarseMap) -> dict[str, Any]:
    """A coarse map as JSON fields, two levels per byte, in base64."""
    levels = np.frombuffer(found.levels, np.uint8)
    pairs = np.pad(levels, (0, levels.size % 2)).reshape(-1, 2)
    packed = (pairs[:, 0] << 4 | pairs[:, 1]).astype(np.uint8).tobytes()
    return {"size": list(found.size), "levels": base64.b64encode(packed).decode("ascii")}


def read(value: Any) -> CoarseMap:
    """A map from untrusted JSON. Raises `InvalidMap` for anything else."""
    size = value.get("size") if isinstance(value, dict) else None
    if not isinstance(size, list) or [type(s) for s in size] != [int, int] or not all(1 <= s <= SIDE for s in size):
        found = str(value if size is None else size)[:40]
        raise InvalidMap(f"expected a map of 1 to {SIDE} rows and columns, but got {found!r}")
    count = size[0] * size[1]
    text = value.get("levels")
    length = 4 * -(-count // 6)  # six levels are three bytes, which base64 writes as four characters
    if not isinstance(text, str) or len(text) != length:
        came = f"{len(text)}" if isinstance(text, str) else type(text).__name__
        raise InvalidMap(f"expected a map's {count} levels in {length} characters, but got {came}")
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError as error:
        raise InvalidMap(f"expected a map's levels in base64, but {error}") from error
    levels = np.stack([packed >> 4, packed & 15], axis=1).ravel()
    if packed.size != -(-count // 2):
        raise InvalidMap(f"expected a map's {count} levels in {-(-count // 2)} bytes, but got {packed.size}")
    return CoarseMap((size[0], size[1]), levels[:count].tobytes())


def check_token_maps(value: str) -> int:
    """The number of tokens whose maps are kept. Raises ValueError if PIXFOUND_TOKENMAPS is no such number."""
    if not (value.isdecimal() and int(value) <= MOST_TOKENS):
        raise ValueError(f"expected PIXFOUND_TOKENMAPS from 0 to {MOST_TOKENS}, but got {value!r}")
    return int(value)


def to_token_fields(found: Sequence[TokenMap]) -> dict[str, Any] | None:
    """The maps of tokens, all of one size, as JSON fields; None if no token has a map."""
    sizes = {each.map.size for each in found if each.map}
    if not sizes:
        return None
    if len(sizes) > 1:
        raise ValueError(f"expected maps of one size, but got {sorted(sizes)}")
    levels = [each.map and to_fields(each.map)["levels"] for each in found]
    return {"size": list(sizes.pop()), "chars": [list(each.chars) for each in found], "levels": levels}


def read_tokens(value: Any) -> tuple[TokenMap, ...]:
    """The maps of tokens from untrusted JSON, at most `MOST_TOKENS`. Raises `InvalidMap` for anything else."""
    fields = value if isinstance(value, dict) else {}
    chars, levels = fields.get("chars"), fields.get("levels")
    if not isinstance(chars, list) or not isinstance(levels, list) or not 0 < len(chars) == len(levels) <= MOST_TOKENS:
        raise InvalidMap(
            f"expected 1 to {MOST_TOKENS} tokens, each with a range and a map, but got {str(value)[:40]!r}"
        )
    return tuple(
        TokenMap(_range(span), None if each is None else read({"size": fields.get("size"), "levels": each}))
        for span, each in zip(chars, levels)
    )


def _range(value: Any) -> tuple[int, int]:
    is_pair = isinstance(value, list) and [type(each) for each in value] == [int, int]
    if not is_pair or not 0 <= value[0] <= value[1] <= _LONGEST_TEXT:
        raise InvalidMap(f"expected a token's range of characters, but got {str(value)[:40]!r}")
    return value[0], value[1]
