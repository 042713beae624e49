"""What a card shows in addition to the gallery's listing: masks, phrases, maps of tokens, and thinking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.masks import Rle
from pixfound_tasks.report.html.stores import Store
from pixfound_tasks.response import Draft, Phrase, Selection
from pixfound_tasks.response.maps import to_fields, to_token_fields

LONGEST_NAME = 200  # characters
_LONGEST_TEXT = 4000
_MOST_PHRASES, _MOST_CANDIDATES = 100, 12
_ALIKE = 0.9  # candidates whose IoU with an earlier one is at least this are shown as one


def details(image: GroundedImage, store: Store) -> dict[str, Any]:
    """Returns what a card needs in addition to the listing.

    `mask` is the prediction. `oracle` is the phrase and index of the candidate mask with the highest IoU. The IoUs of
    candidate masks are computed at full resolution, before the masks are reduced. `draft` is the thinking before the
    answer, None if there is none, and `tokens` are the maps of its tokens.
    """
    response, oracle = image.response, image.oracle
    phrases = response.phrases[:_MOST_PHRASES]
    found = [candidate.mask for phrase in phrases for candidate in phrase.candidates[:_MOST_CANDIDATES]]
    prediction, *small = masks.shrunk([image.prediction, *found], store.mask_side)
    kept = zip(small, _ious(found, image.target))
    return {
        "mask": prediction,
        "phrases": [_phrase(phrase, kept) for phrase in phrases],
        "selected": _selection(response.selected) if response.selected else None,
        "oracle": None if oracle.candidate is None else [oracle.probe, oracle.candidate],
        "draft": _draft(response.draft) if response.draft else None,
        "tokens": to_token_fields(response.token_maps) if store.keeps_tokens else None,
    }


def _draft(draft: Draft) -> dict[str, Any]:
    phrases = [_phrase(phrase, iter(())) for phrase in draft.phrases[:_MOST_PHRASES]]
    return {"text": cut(draft.text), "tokens": draft.tokens, "phrases": phrases}


def _ious(found: Sequence[Rle], target: Rle) -> list[float]:
    return masks.ious(found, target) if masks.area(target) else [float(masks.area(mask) == 0) for mask in found]


def _phrase(phrase: Phrase, kept: Iterator[tuple[Rle, float]]) -> dict[str, Any]:
    """`kept` yields the reduced mask and the IoU of each of the phrase's candidates."""
    return {
        "text": cut(phrase.text, LONGEST_NAME),
        "chars": phrase.chars,
        "similarity": phrase.similarity,
        "point": phrase.point,
        "map": to_fields(phrase.map) if phrase.map else None,
        "candidates": _candidates(phrase, kept),
    }


def _candidates(phrase: Phrase, kept: Iterator[tuple[Rle, float]]) -> list[dict[str, Any]]:
    """Returns the candidates; `like` is the index of the first one that is nearly the same, possibly its own."""
    found: list[dict[str, Any]] = []
    first: list[int] = []  # of each kind
    for index, (candidate, (mask, iou)) in enumerate(zip(phrase.candidates[:_MOST_CANDIDATES], kept)):
        close = masks.ious([found[each]["mask"] for each in first], mask) if first else []
        like = next((each for each, near in zip(first, close) if near >= _ALIKE), index)
        first += [index] if like == index else []
        found.append({"mask": mask, "score": candidate.score, "iou": round(iou, 4), "like": like})
    return found


def _selection(selection: Selection) -> dict[str, Any]:
    return {**vars(selection), "by": cut(selection.by, LONGEST_NAME)}


def cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Cuts a text to `longest` characters, and says how many are missing."""
    more = len(text) - longest
    return f"{text[:longest]}\N{HORIZONTAL ELLIPSIS} (and {more} more characters)" if more > 0 else text
