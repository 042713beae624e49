"""What the page needs to browse a look without its model: maps of tokens by reducer, and of layers and heads, in bytes.

Maps are painted on a grid of a few cells, since the page draws them smoothly. A level is a byte from 0 to 254, from the
lowest to the highest value, and 255 where nothing was recorded or no image token lies. All levels of a set of maps are
deflated together, in base64.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pixfound_tasks import heat
from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.look import Look, tokens_within
from pixfound_tasks.explain.explanation import Explanation

CELLS = 32  # cells on the longer side of a token's map
MOST_HEAD_BYTES = 10_000_000  # of the maps of layers and heads, before they are deflated
# Cells on the longer side of a head's map, of what there are most and least steps of; the first that fits.
_HEAD_CELLS = {"tokens": (24, 12), "phrases": (24, 12, 8)}
_MOST_PHRASES = 20
_TOP, _MISSING = 254, 255
_KINDS = ("attention", "centered")  # as recorded, and without the mean over the answer's tokens


def browsing(explanation: Explanation) -> dict[str, Any] | None:
    """Returns the data of one answer, as JSON values; None if the explanation has no look."""
    look = explanation.look
    if look is None:
        return None
    names = [str(look.settings.get("reducer", "attention")), *look.others]
    phrases = [
        {"chars": list(each.phrase.chars), "text": each.phrase.text, "number": number}
        for number, each in enumerate(explanation.phrases, 1)
        if each.phrase.chars is not None
    ]
    grid = look.geometry.shrunk(CELLS)
    return {
        "text": look.text,
        "tokens": [list(chars) for chars in look.token_chars],
        "phrases": phrases,
        "size": list(grid.size),
        "reducers": {
            name: _maps(_painted(grid, values)) for name, values in zip(names, (look.values, *look.others.values()))
        },
        "heads": _heads(look, explanation),
    }


def _painted(grid: TokenGeometry, values: np.ndarray) -> np.ndarray:
    """Paints values (maps, image tokens) on a grid, as float32 (maps, rows, columns)."""
    first = values[:, : len(grid.boxes)]  # of the first image
    if len(first) > len(grid.boxes):
        # Painting is linear, so each image token is painted once. A pixel that no token covers is NaN in every map.
        shares = np.stack([grid.paint(each) for each in np.eye(len(grid.boxes), dtype=np.float32)])
        maps = first @ np.nan_to_num(shares).reshape(len(shares), -1)
        maps[:, np.isnan(shares[0]).ravel()] = np.nan
        return np.asarray(maps.reshape(-1, *grid.size), np.float32)
    return np.stack([grid.paint(each) for each in first]) if len(first) else np.empty((0, *grid.size), np.float32)


def _maps(maps: np.ndarray) -> dict[str, Any]:
    """Keeps maps (maps, rows, columns) with the scale on which all are drawn."""
    known = maps[np.isfinite(maps)]
    lowest, highest = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    scale = heat.common_scale([maps])
    levels = _levels(maps, np.float64(lowest), np.float64(highest))
    return {"min": lowest, "max": highest, "low": scale.low, "high": scale.high, "levels": _packed(levels)}


def _levels(maps: np.ndarray, lowest: Any, highest: Any) -> np.ndarray:
    spread = np.where(highest > lowest, highest - lowest, 1.0)
    with np.errstate(invalid="ignore"):
        levels = np.rint(_TOP * ((maps - lowest) / spread).clip(0, 1))
    return np.where(np.isfinite(maps), levels, _MISSING).astype(np.uint8)


def _packed(levels: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(levels.tobytes(), 6)).decode("ascii")


class _Steps(NamedTuple):
    """What the maps of heads are of: the answer's tokens, or if those are too many its phrases and all of it."""

    of: str
    ranges: list[tuple[int, int]]


def _heads(look: Look, explanation: Explanation) -> dict[str, Any] | None:
    """Returns the maps by layer and head with the finest steps and cells that fit; None if they were not kept."""
    if look.heads is None or not look.tokens:
        return None
    steps, cells = _fitting(look, explanation)
    grid = look.geometry.shrunk(cells)
    layers, heads = look.heads.levels.shape[1:3]
    rows = look.heads.values()
    kinds = {}
    for kind in _KINDS:
        shown = rows - np.nanmean(rows, axis=0) if kind == "centered" else rows
        means = np.stack([shown[slice(*tokens)].mean(axis=0) for tokens in steps.ranges])
        flat = means.reshape(-1, means.shape[-1])
        maps = _painted(grid, flat).reshape(len(steps.ranges), layers, heads, *grid.size)
        low, high = _ends(maps)
        levels = _levels(maps, low[None, ..., None, None], high[None, ..., None, None])
        kinds[kind] = {"low": _listed(low), "high": _listed(high), "levels": _packed(levels)}
    return {
        "layers": list(look.heads.layers), "count": heads, "steps": steps.of, "size": list(grid.size), "kinds": kinds,
    }  # fmt: skip


def _fitting(look: Look, explanation: Explanation) -> tuple[_Steps, int]:
    found = [each.phrase.chars for each in explanation.phrases[:_MOST_PHRASES] if each.phrase.chars is not None]
    tokens = [(index, index + 1) for index in range(len(look.tokens))]
    phrases = [tokens_within(look.token_chars, chars) for chars in found]
    every = (0, len(look.tokens))
    choices = [_Steps("tokens", tokens), _Steps("phrases", [span if span[0] < span[1] else every for span in phrases])]
    assert look.heads is not None
    maps = look.heads.levels.shape[1] * look.heads.levels.shape[2] * len(_KINDS)
    for steps in choices:
        steps.ranges.append(every)  # the last step is the whole answer
        for cells in _HEAD_CELLS[steps.of]:
            if len(steps.ranges) * maps * int(np.prod(look.geometry.shrunk(cells).size)) <= MOST_HEAD_BYTES:
                return steps, cells
    return _Steps("phrases", [every]), _HEAD_CELLS["phrases"][-1]


def _ends(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each layer and head, its lowest and highest value in all steps; 0 if nothing was recorded."""
    axes = (0, 3, 4)
    known = np.isfinite(maps)
    low = np.where(known, maps, np.inf).min(axis=axes)
    high = np.where(known, maps, -np.inf).max(axis=axes)
    is_empty = ~known.any(axis=axes)
    return np.where(is_empty, 0, low), np.where(is_empty, 0, high)


def _listed(values: np.ndarray) -> Sequence[Sequence[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in values]
