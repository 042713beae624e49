"""Looks as files: arrays as safetensors, the rest as JSON in the file's header."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.head_rows import HeadRows
from pixfound_tasks.files import replacing

if TYPE_CHECKING:
    from pixfound_tasks.attention.look import Look

SCHEMA = "pixfound-look/1"
_OTHER = "values_of_"  # begins the names of the arrays of other reducers


def save_look(look: Look, path: Path) -> None:
    """Write a look without its images; see `Look.save`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"rows": look.rows, "values": look.values}
    arrays |= {f"boxes_{index}": geometry.boxes for index, geometry in enumerate(look.geometries)}
    arrays |= {f"{_OTHER}{name}": values for name, values in look.others.items()}
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "text": look.text,
        "token_chars": look.token_chars,
        "sizes": [geometry.size for geometry in look.geometries],
        "settings": look.settings,
    }
    if look.heads is not None:
        arrays |= {"head_levels": look.heads.levels, "head_highest": look.heads.highest}
        head["head_layers"] = look.heads.layers
    # safetensors writes an array's raw memory and ignores its strides.
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        with replacing(path) as beside:
            save_file(contiguous, beside, {"look": json.dumps(head, default=_as_json)})
    except SafetensorError as error:  # a disk error, which does not name the file
        raise OSError(f"expected to write {path}, but got {error}") from error


def load_look(path: str | Path) -> Look:
    """Read a file written by `save_look`. Raises ValueError if it was not, and OSError if it cannot be read."""
    from pixfound_tasks.attention.look import Look

    try:
        with safe_open(path, "numpy") as file:
            head = json.loads((file.metadata() or {})["look"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        geometries = tuple(
            TokenGeometry(arrays[f"boxes_{index}"], (int(size[0]), int(size[1])))
            for index, size in enumerate(head["sizes"])
        )
        chars = tuple((int(start), int(end)) for start, end in head["token_chars"])
        rows, values = arrays["rows"], arrays["values"]
        others = {name.removeprefix(_OTHER): array for name, array in arrays.items() if name.startswith(_OTHER)}
        heads = None
        if "head_levels" in arrays:
            heads = HeadRows(arrays["head_levels"], arrays["head_highest"], tuple(map(int, head["head_layers"])))
        look = Look(head["text"], chars, rows, values, geometries, head["settings"], None, heads, others)
        is_whole = head["schema"] == SCHEMA and _is_whole(look)
    except (SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"expected {path} to be written by Look.save as {SCHEMA}, but reading it gave {error!r}: save it again"
        ) from error
    if not is_whole:
        raise ValueError(
            f"expected {path} to be written by Look.save as {SCHEMA}, but its schema or array shapes do not match: "
            "save it again"
        )
    return look


def _is_whole(look: Look) -> bool:
    """Whether all arrays of a look have a row per token and a value per image token."""
    shape = (len(look.token_chars), sum(len(geometry.boxes) for geometry in look.geometries))
    if any(array.shape != shape for array in (look.rows, look.values, *look.others.values())):
        return False
    if look.heads is None:
        return True
    tokens, layers, _, image_tokens = levels = look.heads.levels.shape
    return (
        (tokens, image_tokens) == shape and look.heads.highest.shape == levels[:3] and layers == len(look.heads.layers)
    )


def _as_json(value: Any) -> Any:
    """Convert what JSON does not know: numpy and torch arrays and numbers, ranges, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Iterable) else str(value)
