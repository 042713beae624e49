"""From the answer of a pixel-level model to a response."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pixfound_tasks import masks
from pixfound_tasks.attention.look import tokens_within
from pixfound_tasks.grounding.phrases import rule_phrases
from pixfound_tasks.masks import Rle
from pixfound_tasks.pixel.base import PixelAnswer
from pixfound_tasks.response import Phrase, Response
from pixfound_tasks.response.schema import Candidate

# Which of an answer's masks are the response's: all, whose union is the prediction; or the first, as in the study.
WHICH = ("all", "first")


def own_response(answer: PixelAnswer, which: str, provenance: dict[str, Any]) -> Response:
    """Return the response with the masks that the model drew; an answer without a mask token says "not there".

    A phrase that the model wrote masks for has them as its candidates.
    """
    drawn = _encoded(answer)
    chosen = _chosen(drawn, which)
    return Response(
        text=answer.text,
        masks=chosen,
        scores=_scores(answer)[: len(chosen)],
        phrases=_phrases(answer, drawn),
        tokens=len(answer.ids) or None,
        provenance=provenance,
    )


def with_own_masks(response: Response, answer: PixelAnswer, which: str) -> Response:
    """Return a response that was grounded by attention, with the masks that the model drew as its masks.

    Its phrases and its selection stay what attention gives.
    """
    chosen = _chosen(_encoded(answer), which)
    # What an answer without a phrase to select says is about attention, not about the masks that were drawn.
    kept = {name: value for name, value in response.provenance.items() if name != "unanswered"}
    scores = _scores(answer)[: len(chosen)]
    return replace(response, masks=chosen, scores=scores, provenance=kept | {"grounding": "both", "masks": which})


def _encoded(answer: PixelAnswer) -> list[Rle]:
    return [masks.encode(mask) for mask in answer.masks]


def _scores(answer: PixelAnswer) -> tuple[float, ...]:
    """Return the scores without the digits in which batches differ."""
    return tuple(round(float(score), 4) for score in answer.scores)


def _chosen(drawn: list[Rle], which: str) -> tuple[Rle, ...]:
    return tuple(drawn[:1] if which == "first" else drawn)


def _phrases(answer: PixelAnswer, drawn: list[Rle]) -> tuple[Phrase, ...]:
    """Return the phrases in the order of their first masks."""
    places = dict.fromkeys(chars for chars in answer.chars if chars is not None)
    scores = _scores(answer)
    found = []
    for chars in places:
        text = answer.text[slice(*chars)]
        own = [index for index, place in enumerate(answer.chars) if place == chars]
        inside = rule_phrases(text)
        found.append(
            Phrase(
                candidates=tuple(Candidate(drawn[index], scores[index]) for index in own),
                text=text,
                root=inside[-1].root if inside else "",
                chars=chars,
                tokens=tokens_within(answer.token_chars, chars),
            )
        )
    return tuple(found)
