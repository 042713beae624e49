"""Where the page keeps what only visible cards need: inside its own file, or in files beside it.

A store gets the details of every answer and the images. What it returns is put into the gallery's listing: the number
of a block inside the page, or the path of a file relative to the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from PIL import Image

from pixfound_tasks.files import replacing
from pixfound_tasks.report.html import pictures

Kept = dict[str, int | str]  # fields of a document in the listing: `image`, and `original` if it is kept too
# Pairs of a maximum number of answers and the longest side, in pixels, at which their masks are stored. With these,
# three models on PixCV-Bench take about 10 MB each.
_MASK_SIDES = ((500, 256), (2000, 128), (5000, 96), (math.inf, 64))
_MOST_WITH_TOKENS = 500  # answers whose tokens' maps are kept in one file
_MOST_WITH_IMAGES = 5000  # answers; if there are more, images are reduced further


class Store(Protocol):
    """Keeps what only visible cards need.

    `mask_side` is the longest side, in pixels, of stored masks. `keeps_tokens` says whether tokens' maps are kept.
    """

    mask_side: int
    keeps_tokens: bool

    @property
    def blocks(self) -> Sequence[str]:
        """What the page itself must hold."""

    def add_details(self, benchmark: str, document: int, run: int, block: str) -> int | str:
        """Keeps the details of a run's answer about a document, which is given by its number."""

    def add_images(
        self, benchmark: str, images: Mapping[str, Image.Image], ids: Sequence[str], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[str, Kept]]:
        """Keeps the images of the documents with these ids; yields what is kept. Ids without an image are skipped."""

    def finish(self) -> None:
        """Is called once, after everything was added."""


class InPage:
    """Keeps everything in blocks of text that need no escaping: base64, and images as data URIs."""

    def __init__(self, answers: int) -> None:
        """`answers` is the number of answers that will be added; of many, less is kept."""
        self.blocks: list[str] = []
        self.mask_side = int(next(side for most, side in _MASK_SIDES if answers <= most))
        self.keeps_tokens = answers <= _MOST_WITH_TOKENS
        self._is_tight = answers > _MOST_WITH_IMAGES

    def _add(self, block: str) -> int:
        self.blocks.append(block)
        return len(self.blocks) - 1

    def add_details(self, benchmark: str, document: int, run: int, block: str) -> int:
        return self._add(block)

    def add_images(
        self, benchmark: str, images: Mapping[str, Image.Image], ids: Sequence[str], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[str, Kept]]:
        uris = pictures.embed(images, ids, threads, self._is_tight)  # the threads start now
        return ((id, {"image": self._add(uri)}) for id, uri in uris)

    def finish(self) -> None:
        pass


class InFolder:
    """Keeps one file of details per document, and its image twice: small, and at its original resolution."""

    mask_side, keeps_tokens = 256, True
    blocks: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._details: dict[str, dict[int, str]] = {}

    def add_details(self, benchmark: str, document: int, run: int, block: str) -> str:
        path = f"details/{benchmark}/{document}.json"
        self._details.setdefault(path, {})[run] = block
        return path

    def add_images(
        self, benchmark: str, images: Mapping[str, Image.Image], ids: Sequence[str], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[str, Kept]]:
        for name in ("images", "originals"):
            (self._folder / name / benchmark).mkdir(parents=True, exist_ok=True)

        def keep(numbered: tuple[int, str]) -> tuple[str, Kept]:
            number, id = numbered
            image = images[id]
            return id, {
                "original": self._write(f"originals/{benchmark}/{number}", *pictures.original(image)),
                "image": self._write(f"images/{benchmark}/{number}", *pictures.encoded(image)),
            }

        return threads.map(keep, [(number, id) for number, id in enumerate(ids) if id in images])

    def _write(self, stem: str, kind: str, content: bytes) -> str:
        path = f"{stem}.{kind}"
        with replacing(self._folder / path) as beside:
            beside.write_bytes(content)
        return path

    def finish(self) -> None:
        for path, by_run in self._details.items():
            file = self._folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as beside:
                beside.write_text(json.dumps(by_run, separators=(",", ":")), encoding="ascii")
