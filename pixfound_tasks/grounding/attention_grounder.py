"""Attend and segment: turns an answer and its attention to the image into a grounded response."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pixfound_tasks.attention.look import Look, tokens_within
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.phrases import Chunker, NounPhrase, is_denied, rule_phrases
from pixfound_tasks.grounding.segmenters.base import Segmenter
from pixfound_tasks.grounding.selection import Selector, make_selector
from pixfound_tasks.grounding.similarity import Similarity, lexical_similarity
from pixfound_tasks.masks import Rle
from pixfound_tasks.prompts.judge import STUDY
from pixfound_tasks.response import Draft, Phrase, Point, PromptedMasks, Response, Selection, TokenMap
from pixfound_tasks.response.final_answer import UNFINISHED, final_answer

if TYPE_CHECKING:
    from pixfound_tasks.judges.base import Judge

_MOST_DRAFTED = 50  # phrases of a draft whose maps are kept; one takes as long as a phrase of the answer


@dataclass(frozen=True)
class AttentionGrounder:
    """Turns the attention of an answer into masks, and records how.

    `control` adds a random-point baseline to each response: it has as many random points as the response has phrases
    with a point, and uses the same segmenter. The points depend only on `seed` and the image. For `select`, `judge`,
    `mask` and `judging` see `make_selector`. `point_rank` is the rank, counted from 1, of the pixel of a phrase map
    that prompts the segmenter, at its "center" or upper left "corner" (`point`). A phrase whose map has fewer pixels
    has no point. `token_maps` is the number of the answer's first tokens whose coarse maps go into the response.
    """

    segmenter: Segmenter
    chunker: Chunker = rule_phrases
    similarity: Similarity = lexical_similarity
    select: str = "similarity"
    control: bool = True
    seed: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)
    judge: Judge | None = None
    point_rank: int = 1
    mask: str = "highest"
    point: str = "center"
    no_candidate: str = "absent"
    judging: str = "default"
    token_maps: int = 0

    def __post_init__(self) -> None:
        self._selector()
        check_choice("point", self.point, ("center", "corner"))

    def ground(self, look: Look, image: Image.Image, expression: str) -> Response:
        """Return the response to a prompt to find `expression` in an image (RGB), from the answer and its attention.

        If the model thinks before it answers, only the phrases of its answer get masks and are selected from. Those of
        its thinking go into the response's draft.
        """
        found = final_answer(look.text, keep_boxes=True)
        whole, look = look, look.part(found.chars)
        self.segmenter.set_image(np.asarray(image))
        phrases = [self._phrase(phrase, look, expression) for phrase in self.chunker(look.text)]
        points = [phrase.point for phrase in phrases if phrase.point]
        candidates = iter(self.segmenter.segment(points))
        phrases = [replace(p, candidates=next(candidates)) if p.point else p for p in phrases]
        selected, notes = self._selector()(phrases, image, expression)
        missing = look.non_finite_tokens
        chosen: tuple[Rle, ...] = ()
        if selected.phrase is not None and selected.candidate is not None:
            chosen = (phrases[selected.phrase].candidates[selected.candidate].mask,)
        return Response(
            text=look.text,
            masks=chosen if found.is_finished else None,
            phrases=tuple(phrases),
            selected=selected,
            control=self._control(image, len(points)) if self.control else (),
            tokens=len(look.token_chars),
            provenance=self.provenance
            | {name: look.settings[name] for name in ("geometry",) if name in look.settings}
            | notes
            | self._unanswered(phrases, selected)
            | ({"lost_tokens": missing} if missing else {}),
            problems=_problems(look, phrases) + (() if found.is_finished else (UNFINISHED,)),
            token_maps=tuple(
                TokenMap(chars, look.phrase_coarse_map(chars) if chars[0] < chars[1] else None)
                for chars in look.token_chars[: self.token_maps]
            ),
            draft=self._draft(whole.part((0, found.chars[0]))),
        )

    def _selector(self) -> Selector:
        return make_selector(self.select, self.judge, self.mask, self.judging)

    def _unanswered(self, phrases: Sequence[Phrase], selected: Selection) -> dict[str, Any]:
        """Return the note that the answer is wrong whatever is in the image, if that is the rule, see `Arguments`.

        What a judge has selected counts, and for the study's judge so does the empty mask of an answer without phrases.
        """
        if selected.by == "judge" and (self.judging == STUDY or any(phrase.candidates for phrase in phrases)):
            return {}
        similarities = [phrase.similarity or 0.0 for phrase in phrases if phrase.candidates]
        is_answered = max(similarities, default=-1.0) >= 0
        return {} if self.no_candidate == "absent" or is_answered else {"unanswered": True}

    def _draft(self, look: Look) -> Draft | None:
        """Return what the model wrote before its answer, with the points and maps of its first phrases."""
        if not look.text.strip():
            return None
        phrases = [self._phrase(phrase, look, "") for phrase in self.chunker(look.text)[:_MOST_DRAFTED]]
        kept = tuple(replace(phrase, similarity=None) for phrase in phrases)
        return Draft(look.text, len(look.token_chars), kept)

    def _phrase(self, phrase: NounPhrase, look: Look, expression: str) -> Phrase:
        return Phrase(
            look.phrase_peak(phrase.chars, rank=self.point_rank, corner=self.point == "corner"),
            text=phrase.text,
            root=phrase.root,
            chars=phrase.chars,
            tokens=tokens_within(look.token_chars, phrase.chars),
            # A denied object is not the one in the prompt, however similar the words are.
            similarity=0.0 if is_denied(phrase.text) else self.similarity(phrase.text, expression),
            map=look.phrase_coarse_map(phrase.chars),
        )

    def _control(self, image: Image.Image, count: int) -> tuple[PromptedMasks, ...]:
        rng = np.random.RandomState((zlib.crc32(image.tobytes()) + self.seed) % 2**32)
        points: list[Point] = [(float(x), float(y)) for x, y in rng.random_sample((count, 2))]
        return tuple(PromptedMasks(*found) for found in zip(points, self.segmenter.segment(points)))


def _problems(look: Look, phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """Return the faults of an answer's attention. An affected phrase has no point, or its map leaves out tokens."""
    found = [look.settings["fault"]] if "fault" in look.settings else []
    if look.non_finite_tokens:
        count = f"{len(look.non_finite_tokens)} of {len(look.token_chars)}"
        found.append(f"the attention of {count} tokens is not finite (NaN or infinite), and left out")
    for index, phrase in enumerate(phrases):
        if phrase.point or phrase.chars is None:
            continue
        if not look.has_map(phrase.chars):
            found.append(f"phrases[{index}]: no attention to the image was recorded")
        elif look.peak(phrase.chars) is None:
            found.append(f"phrases[{index}]: flat map: no place gets more attention than another")
    return tuple(found)
