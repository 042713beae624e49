"""An answer and what its tokens attend to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pixfound_tasks.attention.geometry import TokenGeometry
from pixfound_tasks.attention.head_rows import HeadRows
from pixfound_tasks.attention.look_file import load_look, save_look
from pixfound_tasks.attention.token_grids import Method
from pixfound_tasks.attention.token_mass import PositiveSums, positive_sums
from pixfound_tasks.attention.token_peaks import covers_a_pixel, token_peak
from pixfound_tasks.attention.token_sums import token_coarse_map
from pixfound_tasks.choices import check_choice
from pixfound_tasks.response import CoarseMap
from pixfound_tasks.response.final_answer import final_answer

if TYPE_CHECKING:
    from jaxtyping import Float32
    from matplotlib.figure import Figure

    from pixfound_tasks.attention.mask_runs import Mask, MaskRuns

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
        heads: the attention by layer and head, if it was kept; see `look_widely`.
        others: the outputs of other reducers on the same recording, by name.
    """

    text: str
    token_chars: tuple[tuple[int, int], ...]
    rows: Float32[np.ndarray, "tokens image_tokens"]
    values: Float32[np.ndarray, "tokens image_tokens"]
    geometries: tuple[TokenGeometry, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    images: tuple[Image.Image, ...] | None = field(default=None, repr=False)
    heads: HeadRows | None = field(default=None, repr=False)
    others: Mapping[str, Float32[np.ndarray, "tokens image_tokens"]] = field(default_factory=dict, repr=False)

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
            self, text=self.text[start:stop], token_chars=token_chars, rows=rows, values=values, settings=settings,
            heads=self.heads and self.heads.part(slice(first, end)),
            others={name: values[first:end] for name, values in self.others.items()},
        )  # fmt: skip

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

    def phrase_sums(self, span: Span, inside: Mask | MaskRuns, image: int = 0) -> PositiveSums:
        """Return the sums of the positive values of a phrase's map, over the image and inside a mask of its size.

        The map is not painted. The mask is an array, an RLE or, to use it for several phrases, its `MaskRuns`.
        """
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
        label = f"attention, {self.settings['reducer']}" if "reducer" in self.settings else "attention"
        return plot_maps([small.phrase_map(chars, image) for chars in ranges], titles, picture, label)

    def _repr_html_(self) -> str:
        """Show the answer and what its words looked at, in a notebook."""
        from pixfound_tasks.attention.plot import look_html  # matplotlib is slow to import

        return look_html(self)

    def by(self, reducer: str) -> Look:
        """Return the same look by another reducer, whose values it keeps; see `look_widely`.

        Raises ValueError if it does not keep them.
        """
        own = self.settings.get("reducer")
        if reducer == own:
            return self
        check_choice("the reducer", reducer, [*self.others, *filter(None, [own])])
        others = {name: values for name, values in self.others.items() if name != reducer}
        others |= {str(own): self.values} if own else {}
        settings = self.settings | {"reducer": reducer}
        return replace(self, values=self.others[reducer], others=others, settings=settings)

    def save(self, path: str | Path) -> None:
        """Write everything except the images: arrays as safetensors, the rest as JSON in the file's header.

        The write is atomic, even if several processes write the same file.
        """
        save_look(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Look:
        """Read a file written by `save`.

        Raises:
            ValueError: if the file was not written by `save`.
        """
        return load_look(path)

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


def tokens_within(token_chars: tuple[tuple[int, int], ...], chars: tuple[int, int]) -> tuple[int, int]:
    """Return the half-open range of tokens that overlap a character range, or (0, 0) if none does."""
    sharing = [i for i, (start, end) in enumerate(token_chars) if start < chars[1] and end > chars[0] and end > start]
    return (sharing[0], sharing[-1] + 1) if sharing else (0, 0)
