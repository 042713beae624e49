"""Keeps measured geometries, and which registered ones were proved, in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import transformers
from loguru import logger

from pixfound_tasks.attention.geometry import Size, TokenGeometry
from pixfound_tasks.attention.measured.query_reading import Reading, reading_of
from pixfound_tasks.benchmarks.cache import cache_folder
from pixfound_tasks.files import replacing
from pixfound_tasks.hosts.model_config import hub_revision

# Increase it when the measurement changes, so that geometries kept earlier are no longer used.
VERSION = 4


class Kept(NamedTuple):
    """What is kept of a measurement, see `Measurement`."""

    geometries: tuple[TokenGeometry, ...]
    ids: tuple[int, ...]
    how: str
    reading: Reading | None = None


class GeometryCache:
    """The kept geometries of one model with one processor and one set of options.

    A model without a name, made in this process, has none on disk: nothing would tell its weights from others.
    """

    def __init__(self, model: Any, processor: Any, options: dict[str, Any]) -> None:
        self._memory: dict[str, Kept] = {}
        self._key = _key(model, processor, options)

    def read(self, sizes: Sequence[Size]) -> Kept | None:
        """Return what was measured for images of these sizes, or None."""
        name = _digest([list(size) for size in sizes])
        if name not in self._memory and (path := self._path(f"{name}.npz")):
            with suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as file:
                boxes = [file[f"boxes_{index}"] for index in range(len(sizes))]
                geometries = tuple(TokenGeometry(own, (height, width)) for own, (height, width) in zip(boxes, sizes))
                ids = tuple(file["ids"].tolist())
                self._memory[name] = Kept(geometries, ids, str(file["how"]), reading_of(file))
        return self._memory.get(name)

    def write(self, sizes: Sequence[Size], kept: Kept) -> None:
        """Keep what was measured for images of these sizes."""
        name = _digest([list(size) for size in sizes])
        self._memory[name] = kept
        boxes = {f"boxes_{index}": geometry.boxes for index, geometry in enumerate(kept.geometries)}
        read = {} if kept.reading is None else kept.reading.arrays()
        self._save(f"{name}.npz", {**boxes, **read, "ids": np.array(kept.ids, int), "how": np.array(kept.how)})

    def is_proved(self, layout: Any) -> bool:
        """Return whether a registered rule was proved for a layout of image tokens."""
        path = self._path(f"{_digest(layout)}.proved.npz")
        return path is not None and path.exists()

    def write_proved(self, layout: Any) -> None:
        """Note that a registered rule was proved for a layout."""
        self._save(f"{_digest(layout)}.proved.npz", {"proved": np.array(True)})

    def _path(self, name: str) -> Path | None:
        return cache_folder() / f"geometry-v{VERSION}" / self._key / name if self._key else None

    def _save(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        path = self._path(name)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            logger.debug(f"{path} cannot be written, so its geometry is not kept: {error}")


def _key(model: Any, processor: Any, options: dict[str, Any]) -> str | None:
    """Return the name of the folder, from all that a geometry depends on; None for a model without a name."""
    name = model.config.name_or_path
    if not name:
        return None
    folder = Path(name)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    weights = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    parts = (processor, getattr(processor, "image_processor", None))
    settings = [part.to_dict() for part in parts if part is not None and hasattr(part, "to_dict")]
    return _digest(
        [name, hub_revision(model.config), weights, str(model.dtype), model.config.to_dict(), settings,
         getattr(processor, "chat_template", None), options, transformers.__version__, VERSION]
    )  # fmt: skip


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:24]
