"""An answer and what its tokens looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pixfound_tasks.attention.geometry import Method, TokenGeometry, peak
from pixfound_tasks.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "pixfound-look/1"
PLOTTED = 448  # the longest side of a plotted map, in pixels
_ROUNDING = 1e-6  # of float32 sums, relative to what is summed
Span = str | tuple[int, int]  # a passage of the text, or its half-open range of characters


@dataclass(frozen=True, eq=False)
class Look:
    """An answer and the attention behind it.

    `token_chars` are half-open ranges of characters in `text`, one per token of the answer (end-of-text left out).
    `rows` is float32 (tokens, image tokens), the attention of each token to the image tokens, averaged over the
    recorded layers and heads; `values`, of the same shape, what the reducer made of it. `geometries` holds one
    `TokenGeometry` per image of the prompt; their tokens follow each other in `rows`. `settings` says how it was
    recorded. `images` are the prompt's, None after loading.
    """

    text: str
    token_chars: tuple[tuple[int, int], ...]
    rows: np.ndarray
    values: np.ndarray
    geometries: tuple[TokenGeometry, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    images: tuple[Image.Image, ...] | None = field(default=None, repr=False)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The text of every token of the answer."""
        return tuple(self.text[slice(*chars)] for chars in self.token_chars)

    @property
    def geometry(self) -> TokenGeometry:
        """The first image's."""
        return self.geometries[0]

    def maps(self, image: int = 0, method: Method = "bicubic") -> np.ndarray:
        """One map per token of the answer over one image of the prompt, float32 (tokens, height, width)."""
        maps = [self._paint(values, image, method) for values in self.values]
        return np.stack(maps) if maps else np.empty((0, *self.geometries[image].size), np.float32)

    @property
    def lost(self) -> tuple[int, ...]:
        """The tokens whose attention was computed and is not finite, as half precision may have it: they are in no map.

        With `query="consume"` the last token of a generated answer was never computed, and is not among them.
        """
        missing = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        never = len(self.values) - 1 if self.settings.get("query") == "consume" else None
        return tuple(int(token) for token in missing if token != never)

    def phrase_map(self, span: Span, image: int = 0, method: Method = "bicubic") -> np.ndarray:
        """The mean map of the tokens of a phrase, float32 (height, width); NaN where nothing was recorded.

        It is one value throughout where the phrase looks everywhere alike, but for the rounding of the values' mean.
        ValueError for a passage that the text does not hold.
        """
        tokens = slice(*tokens_within(self.token_chars, self._range(span)))
        values, rows = self.values[tokens], self.rows[tokens]
        is_known = np.isfinite(values).all(axis=1)
        if not is_known.any():
            return self._paint(np.full(self.values.shape[1], np.nan, np.float32), image, method)
        mean = values[is_known].mean(axis=0)
        # What is left of equal rows less their mean is rounding, of the size of the rows.
        if np.ptp(mean) <= _ROUNDING * np.abs(rows[np.isfinite(rows).all(axis=1)]).max(initial=0):
            mean = np.full_like(mean, mean.mean())
        return self._paint(mean, image, method)

    def peak(self, span: Span, image: int = 0, rank: int = 1) -> tuple[float, float] | None:
        """Where a phrase's map is highest, or its rank-th highest pixel, (x, y) in fractions of the image.

        None where the map is flat, or has fewer pixels.
        """
        return peak(self.phrase_map(span, image), rank)

    def plot(self, spans: Sequence[Span] | None = None, image: int = 0, picture: Image.Image | None = None) -> Figure:
        """The maps of some phrases over the image, their peaks marked; of every word where no phrases are named.

        `picture` stands in for the prompt's own image, which a loaded look does not have; without one the maps stand
        alone.
        """
        from pixfound_tasks.attention.plot import plot_maps  # matplotlib takes its time

        words = [word.span() for word in re.finditer(r"\S+", self.text)]
        ranges = [self._range(span) for span in spans] if spans else words
        if picture is None and self.images:
            picture = self.images[image]
        small = replace(self, geometries=tuple(geometry.shrunk(PLOTTED) for geometry in self.geometries))
        titles = [self.text[slice(*chars)] for chars in ranges]
        return plot_maps([small.phrase_map(chars, image) for chars in ranges], titles, picture)

    def save(self, path: str | Path) -> None:
        """Write everything but the images: arrays as safetensors, the rest as JSON in the file's header.

        The file appears whole or not at all, also where several processes write the same one.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"rows": self.rows, "values": self.values}
        arrays |= {f"boxes_{index}": geometry.boxes for index, geometry in enumerate(self.geometries)}
        head = {
            "schema": SCHEMA,
            "text": self.text,
            "token_chars": self.token_chars,
            "sizes": [geometry.size for geometry in self.geometries],
            "settings": self.settings,
        }
        # safetensors takes an array's memory as it lies, whatever its strides.
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        try:
            with replacing(path) as beside:
                save_file(contiguous, beside, {"look": json.dumps(head, default=_as_json)})
        except SafetensorError as error:  # of the disk: names no file
            raise OSError(f"expected to write {path}, but {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Look:
        """Read what `save` wrote; ValueError for any other file."""
        try:
            with safe_open(path, "numpy") as file:
                head = json.loads((file.metadata() or {})["look"])
                boxes = [file.get_tensor(f"boxes_{index}") for index in range(len(head["sizes"]))]
                rows, values = file.get_tensor("rows"), file.get_tensor("values")
            geometries = tuple(TokenGeometry(*found) for found in zip(boxes, map(tuple, head["sizes"])))
            chars = tuple((int(start), int(end)) for start, end in head["token_chars"])
            look = cls(head["text"], chars, rows, values, geometries, head["settings"])
            count = sum(len(geometry.boxes) for geometry in geometries)
            is_whole = head["schema"] == SCHEMA and rows.shape == values.shape == (len(chars), count)
        except (SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"expected {path} to be written by Look.save as {SCHEMA}, but {error!r}") from error
        if not is_whole:
            raise ValueError(f"expected {path} to be written by Look.save as {SCHEMA}, but its parts do not agree")
        return look

    def _range(self, span: Span) -> tuple[int, int]:
        if not isinstance(span, str):
            return span
        start = self.text.find(span)
        if start < 0 or not span:
            raise ValueError(f"expected a phrase of the answer {self.text!r}, but got {span!r}")
        return start, start + len(span)

    def _paint(self, values: np.ndarray, image: int, method: Method) -> np.ndarray:
        start = sum(len(geometry.boxes) for geometry in self.geometries[:image])
        geometry = self.geometries[image]
        return geometry.paint(values[start : start + len(geometry.boxes)], method)


def _as_json(value: Any) -> Any:
    """What JSON does not know: arrays and numbers of numpy and torch, ranges, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Iterable) else str(value)


def tokens_within(token_chars: tuple[tuple[int, int], ...], chars: tuple[int, int]) -> tuple[int, int]:
    """The half-open range of tokens that share a character with a range of characters."""
    sharing = [i for i, (start, end) in enumerate(token_chars) if start < chars[1] and end > chars[0] and end > start]
    return (sharing[0], sharing[-1] + 1) if sharing else (0, 0)
