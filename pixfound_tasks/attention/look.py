"""An answer and what its tokens attend to."""

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

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.token_grids import Method
from pixfound_tasks.attention.token_peaks import covers_a_pixel, token_peak
from pixfound_tasks.attention.token_sums import PositiveSums, positive_sums, token_coarse_map
from pixfound_tasks.files import replacing
from pixfound_tasks.response import CoarseMap
from pixfound_tasks.response.final_answer import final_answer

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32
    from matplotlib.figure import Figure

SCHEMA = "pixfound-look/1"
PLOTTED = 448  # longest side of a plotted map, in pixels
_ROUNDING = 1e-6  # rounding error of float32 sums, relative to the summed values
Span = str | tuple[int, int]  # a phrase of the text, or its half-open character range


@dataclass(frozen=True, eq=False)
class Look:
    """An answer and the attention behind it.

    Attributes:
        text: the answer.
        token_chars: half-open character ranges in `text`, one per token of the answer, without end-of-text.
        rows: each token's attention to the image tokens, averaged over the recorded layers and heads.
        values: the output of the reducer.
        geometries: one `TokenGeometry` per image of the prompt. Their tokens follow each other in `rows`.
        settings: how the look was recorded.
        images: the images of the prompt, or None after loading.
    """

    text: str
    token_chars: tuple[tuple[int, int], ...]
    rows: Float32[np.ndarray, "tokens image_tokens"]
    values: Float32[np.ndarray, "tokens image_tokens"]
    geometries: tuple[TokenGeometry, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    images: tuple[Image.Image, ...] | None = field(default=None, repr=False)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The text of each token of the answer."""
        return tuple(self.text[slice(*chars)] for chars in self.token_chars)

    @property
    def geometry(self) -> TokenGeometry:
        """The geometry of the first image."""
        return self.geometries[0]

    def maps(self, image: int = 0, method: Method = "bicubic") -> Float32[np.ndarray, "tokens height width"]:
        """Return one map per token of the answer over one image of the prompt."""
        maps = [self.geometries[image].paint(self._of_image(values, image), method) for values in self.values]
        return np.stack(maps) if maps else np.empty((0, *self.geometries[image].size), np.float32)

    @property
    def non_finite_tokens(self) -> tuple[int, ...]:
        """The tokens whose attention was computed but is not finite, which can happen in half precision.

        `phrase_map` leaves them out. Not among them are the last token of a generated answer with `query="consume"` and
        the first token of a given answer with `query="study"`, because their attention was never computed.
        """
        missing = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        never = {"consume": len(self.values) - 1, "study": 0}.get(str(self.settings.get("query")))
        return tuple(int(token) for token in missing if token != never)

    def phrase_map(self, span: Span, image: int = 0, method: Method = "bicubic") -> Float32[np.ndarray, "height width"]:
        """Return the mean map of a phrase's tokens. It is NaN if nothing was recorded.

        If the mean values differ only by rounding, they are replaced by their mean, so that the map is constant.

        Raises:
            ValueError: if the text does not contain the phrase.
        """
        return self.geometries[image].paint(self.phrase_values(span, image), method)

    def phrase_values(self, span: Span, image: int = 0) -> Float32[np.ndarray, " tokens"]:
        """Return the values of an image's tokens that `phrase_map` paints."""
        tokens = slice(*tokens_within(self.token_chars, self._range(span)))
        values, rows = self.values[tokens], self.rows[tokens]
        is_known = np.isfinite(values).all(axis=1)
        if is_known.any():
            mean = values[is_known].mean(axis=0)
            # Equal rows minus their mean leave only rounding errors, which scale with the rows.
            if np.ptp(mean) <= _ROUNDING * np.abs(rows[np.isfinite(rows).all(axis=1)]).max(initial=0):
                mean = np.full_like(mean, mean.mean())
        else:
            mean = np.full(self.values.shape[1], np.nan, np.float32)
        return self._of_image(mean, image)

    def answer(self) -> Look:
        """Return the look of the final answer, without the thinking before it; see `response.final_answer`."""
        return self.part(final_answer(self.text, keep_boxes=True).chars)

    def part(self, chars: tuple[int, int]) -> Look:
        """Return the look of a part of the text, half-open in characters, with the tokens that overlap it."""
        start, stop = chars
        first, end = tokens_within(self.token_chars, chars)
        token_chars = tuple(
            (max(begin, start) - start, min(over, stop) - start) for begin, over in self.token_chars[first:end]
        )
        rows, values = self.rows[first:end], self.values[first:end]
        settings = self.settings
        if settings.get("query") == "consume" and end < len(self.token_chars):
            settings = settings | {"query": "predict"}  # the attention of the part's last token was computed
        return replace(
            self, text=self.text[start:stop], token_chars=token_chars, rows=rows, values=values, settings=settings
        )

    def peak(self, span: Span, image: int = 0, rank: int = 1) -> tuple[float, float] | None:
        """Return the highest pixel of a phrase's map, or its rank-th highest, as (x, y) in fractions of the image.

        Returns None if the map is flat or has fewer than `rank` pixels.
        """
        return self.phrase_peak(span, image, rank)

    def phrase_peak(
        self, span: Span, image: int = 0, rank: int = 1, corner: bool = False
    ) -> tuple[float, float] | None:
        """Return `geometry.peak` of a phrase's map. The map is not painted, so a large image costs no more."""
        return token_peak(self.geometries[image], self.phrase_values(span, image), rank, corner)

    def has_map(self, span: Span, image: int = 0) -> bool:
        """Return whether a phrase's map has a pixel that is not NaN: its attention was recorded and has a place."""
        return covers_a_pixel(self.geometries[image], self.phrase_values(span, image))

    def phrase_coarse_map(self, span: Span, image: int = 0) -> CoarseMap | None:
        """Return `response.coarse_map` of a phrase's map. The map is not painted."""
        return token_coarse_map(self.geometries[image], self.phrase_values(span, image))

    def phrase_sums(self, span: Span, inside: Bool[np.ndarray, "height width"], image: int = 0) -> PositiveSums:
        """Return the sums of the positive values of a phrase's map, over the image and inside a mask of its size."""
        return positive_sums(self.geometries[image], self.phrase_values(span, image), inside)

    def plot(self, spans: Sequence[Span] | None = None, image: int = 0, picture: Image.Image | None = None) -> Figure:
        """Plot the maps of phrases over the image, with their peaks marked. If `spans` is None, plot every word.

        `picture` replaces the prompt's own image, which a loaded look does not have. If there is no image at all, only
        the maps are drawn.
        """
        from pixfound_tasks.attention.plot import plot_maps  # matplotlib is slow to import

        words = [word.span() for word in re.finditer(r"\S+", self.text)]
        ranges = [self._range(span) for span in spans] if spans else words
        if picture is None and self.images:
            picture = self.images[image]
        small = replace(self, geometries=tuple(geometry.shrunk(PLOTTED) for geometry in self.geometries))
        titles = [self.text[slice(*chars)] for chars in ranges]
        return plot_maps([small.phrase_map(chars, image) for chars in ranges], titles, picture)

    def save(self, path: str | Path) -> None:
        """Write everything except the images: arrays as safetensors, the rest as JSON in the file's header.

        The write is atomic, even if several processes write the same file.
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
        # safetensors writes an array's raw memory and ignores its strides.
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        try:
            with replacing(path) as beside:
                save_file(contiguous, beside, {"look": json.dumps(head, default=_as_json)})
        except SafetensorError as error:  # a disk error, which does not name the file
            raise OSError(f"expected to write {path}, but got {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Look:
        """Read a file written by `save`.

        Raises:
            ValueError: if the file was not written by `save`.
        """
        try:
            with safe_open(path, "numpy") as file:
                head = json.loads((file.metadata() or {})["look"])
                boxes = [file.get_tensor(f"boxes_{index}") for index in range(len(head["sizes"]))]
                rows, values = file.get_tensor("rows"), file.get_tensor("values")
            geometries = tuple(TokenGeometry(*place) for place in zip(boxes, map(tuple, head["sizes"])))
            chars = tuple((int(start), int(end)) for start, end in head["token_chars"])
            look = cls(head["text"], chars, rows, values, geometries, head["settings"])
            count = sum(len(geometry.boxes) for geometry in geometries)
            is_whole = head["schema"] == SCHEMA and rows.shape == values.shape == (len(chars), count)
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

    def _range(self, span: Span) -> tuple[int, int]:
        if not isinstance(span, str):
            return span
        start = self.text.find(span)
        if start < 0 or not span:
            raise ValueError(f"expected a phrase of the answer {self.text!r}, but got {span!r}")
        return start, start + len(span)

    def _of_image(self, values: Float32[np.ndarray, " image_tokens"], image: int) -> Float32[np.ndarray, " tokens"]:
        start = sum(len(geometry.boxes) for geometry in self.geometries[:image])
        return values[start : start + len(self.geometries[image].boxes)]


def _as_json(value: Any) -> Any:
    """Convert what JSON does not know: numpy and torch arrays and numbers, ranges, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Iterable) else str(value)


def tokens_within(token_chars: tuple[tuple[int, int], ...], chars: tuple[int, int]) -> tuple[int, int]:
    """Return the half-open range of tokens that overlap a character range, or (0, 0) if none does."""
    sharing = [i for i, (start, end) in enumerate(token_chars) if start < chars[1] and end > chars[0] and end > start]
    return (sharing[0], sharing[-1] + 1) if sharing else (0, 0)
