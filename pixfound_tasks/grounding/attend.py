"""Attend and segment: from what an answer's tokens looked at to a grounded response."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from pixfound_tasks.attention.lens import Look
from pixfound_tasks.attention.reducers import REDUCERS
from pixfound_tasks.grounding.phrases import Chunker, NounPhrase, is_denied, rule_phrases
from pixfound_tasks.grounding.segmenters import Segmenter
from pixfound_tasks.grounding.selection import SELECTIONS
from pixfound_tasks.grounding.similarity import Similarity, lexical_similarity
from pixfound_tasks.response import Phrase, Point, Probe, Response


@dataclass(frozen=True)
class AttentionGrounder:
    """The steps between attention and masks, and what to write down about them.

    `control` adds a chance control to every response: as many random points as it has phrases, through the same
    segmenter. `seed` and the image alone decide where they lie.
    """

    segmenter: Segmenter
    chunker: Chunker = rule_phrases
    similarity: Similarity = lexical_similarity
    reducer: str = "mean_centered"
    select: str = "similarity"
    control: bool = True
    seed: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)

    def ground(self, look: Look, image: Image.Image, expression: str) -> Response:
        """The response to a request to find `expression` in an image (RGB), from the answer and its attention."""
        self.segmenter.set_image(np.asarray(image))
        values = REDUCERS[self.reducer](look.rows)
        phrases = [self._phrase(phrase, look, values, expression) for phrase in self.chunker(look.text)]
        points = [phrase.point for phrase in phrases if phrase.point]
        candidates = iter(self.segmenter.segment(points))
        phrases = [replace(p, candidates=next(candidates)) if p.point else p for p in phrases]
        selected = SELECTIONS[self.select](phrases)
        chosen = () if selected.phrase is None else (phrases[selected.phrase].candidates[selected.candidate].mask,)
        return Response(
            text=look.text,
            masks=chosen,
            phrases=tuple(phrases),
            selected=selected,
            control=self._control(image, len(points)) if self.control else (),
            tokens=len(look.token_chars),
            provenance=self.provenance,
        )

    def _phrase(self, phrase: NounPhrase, look: Look, values: np.ndarray, expression: str) -> Phrase:
        tokens = tokens_within(look.token_chars, phrase.chars)
        rows = values[slice(*tokens)]
        rows = rows[~np.isnan(rows).any(axis=1)]
        point = peak(look.geometry.paint(rows.mean(axis=0))) if len(rows) else None
        return Phrase(
            point,
            text=phrase.text,
            root=phrase.root,
            chars=phrase.chars,
            tokens=tokens,
            # What the answer says is not there is not what was asked for, however alike the words.
            similarity=0.0 if is_denied(phrase.text) else self.similarity(phrase.text, expression),
        )

    def _control(self, image: Image.Image, count: int) -> tuple[Probe, ...]:
        rng = np.random.RandomState((zlib.crc32(image.tobytes()) + self.seed) % 2**32)
        points: list[Point] = [(float(x), float(y)) for x, y in rng.random_sample((count, 2))]
        return tuple(Probe(*found) for found in zip(points, self.segmenter.segment(points)))


def tokens_within(token_chars: tuple[tuple[int, int], ...], chars: tuple[int, int]) -> tuple[int, int]:
    """The half-open range of tokens that share a character with a range of characters."""
    sharing = [i for i, (start, end) in enumerate(token_chars) if start < chars[1] and end > chars[0] and end > start]
    return (sharing[0], sharing[-1] + 1) if sharing else (0, 0)


def peak(values: np.ndarray) -> Point | None:
    """The middle of the highest pixel of a map (height, width), in fractions; the first one on ties, NaN left out."""
    if np.isnan(values).all():
        return None
    height, width = values.shape
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    return float((column + 0.5) / width), float((row + 0.5) / height)
