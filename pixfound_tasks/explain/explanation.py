"""The explanation of one image: the answer, the attention map of each noun phrase, and the resulting masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from loguru import logger
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.attention.look import Look, tokens_within
from pixfound_tasks.attention.wide import look_widely
from pixfound_tasks.explain.subject import Subject
from pixfound_tasks.grounding.mask_judge import Judged, select_by_judge
from pixfound_tasks.masks import Rle
from pixfound_tasks.response import Phrase, Response, Selection

if TYPE_CHECKING:
    from pixfound_tasks.attention import Lens
    from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
    from pixfound_tasks.grounding.phrases import Chunker
    from pixfound_tasks.judges.base import Judge

MAP_SIDE = 256  # pixels, the longest side of a map; maps are smooth, so photographs need no more


@dataclass(frozen=True, eq=False)
class ExplainedPhrase:
    """A noun phrase of the answer with its point and candidate masks.

    `map` is float32 (height, width) over the image; pixels that no image token covers are NaN. `ious` has the IoU of
    each candidate mask with the ground truth. It is empty if the ground truth is unknown or the object is absent.
    """

    phrase: Phrase
    map: np.ndarray
    ious: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Explanation:
    """How an answer to a prompt about `expression` in `image` (RGB) became a mask.

    `selection` is the selected candidate mask, None if no masks were sought. `judged` is the judge's choice, if there
    is a judge. `target` is the ground-truth mask: None if it is unknown, empty if the object is absent. `look` is the
    attention behind the answer, without the thinking before it; None if it is not to be browsed.
    """

    image: Image.Image
    expression: str
    prompt: str
    answer: str
    phrases: tuple[ExplainedPhrase, ...]
    selection: Selection | None
    judged: Judged | None
    target: Rle | None
    provenance: dict[str, Any]
    look: Look | None = None

    def mask(self, selection: Selection | None) -> Rle | None:
        """Returns the mask of a selection, or None if it selects none because the object is not there."""
        if selection is None or selection.phrase is None or selection.candidate is None:
            return None
        return self.phrases[selection.phrase].phrase.candidates[selection.candidate].mask

    def iou(self, selection: Selection | None) -> float | None:
        """Returns the IoU of a selection with the ground truth, as the tasks score it; None without ground truth."""
        if self.target is None:
            return None
        taken = self.mask(selection)
        return masks.iou(taken or masks.empty(tuple(self.target["size"])), self.target)


def explain(
    lens: Lens,
    grounder: AttentionGrounder,
    subject: Subject,
    prompt: str,
    judge: Judge | None = None,
    **generation: Any,
) -> Explanation:
    """Prompts the model, grounds its answer, and keeps the intermediate results.

    A judge is asked in addition to the grounder's selection. If the grounder itself selects by a judge, only that
    judge is asked.
    """
    look = _look(lens, subject, prompt, **generation)
    response = grounder.ground(look, subject.image, subject.expression)
    selection = response.selected
    assert selection is not None
    return Explanation(
        image=subject.image,
        expression=subject.expression,
        prompt=prompt,
        answer=response.text,
        phrases=tuple(_explained(look.answer(), response, subject.target)),
        selection=selection,
        judged=_judged(response, selection, subject, judge),
        target=subject.target,
        provenance={"picture": subject.name} | response.provenance,
        look=look.answer(),
    )


def _look(lens: Lens, subject: Subject, prompt: str, **generation: Any) -> Look:
    """Looks widely or, if the model cannot be recorded in every way, as the lens says."""
    try:
        return look_widely(lens, subject.image, prompt, **generation)
    except ValueError as error:
        look = lens.look(subject.image, prompt, **generation)
        logger.info(f"Other reducers, layers and heads are left out: {error}")
        return look


def explain_look(look: Look, subject: Subject, chunker: Chunker) -> Explanation:
    """Explains a look that was saved, without its model: its phrases have maps and points, but no masks.

    Raises `ValueError` if the image has not the size of the image that was looked at.
    """
    size = subject.image.height, subject.image.width
    if look.geometry.size != size:
        (height, width), (own_height, own_width) = look.geometry.size, size
        raise ValueError(
            f"expected the image that was looked at, {width} x {height} pixels, but {subject.name} has "
            f"{own_width} x {own_height}: give the image, or --scene, with which the look was saved"
        )
    answer = look.answer()
    small = _small(answer)
    found = [
        Phrase(
            answer.phrase_peak(noun.chars), (), noun.text, noun.root, noun.chars,
            tokens_within(answer.token_chars, noun.chars), None,
        )
        for noun in chunker(answer.text)
    ]  # fmt: skip
    return Explanation(
        image=subject.image,
        expression=subject.expression,
        prompt=str(look.settings.get("prompt", "")),
        answer=answer.text,
        phrases=tuple(ExplainedPhrase(each, small.phrase_map(each.chars)) for each in found if each.chars),
        selection=None,
        judged=None,
        target=None,
        provenance={"picture": subject.name, "model": "unknown", **look.settings},
        look=answer,
    )


def _small(look: Look) -> Look:
    """The look over smaller images, for its maps."""
    return replace(look, geometries=tuple(geometry.shrunk(MAP_SIDE) for geometry in look.geometries))


def _explained(look: Look, response: Response, target: Rle | None) -> list[ExplainedPhrase]:
    small = _small(look)
    present = target if target is not None and masks.area(target) > 0 else None
    found = []
    for phrase in response.phrases:
        assert phrase.chars is not None
        ious = masks.ious([c.mask for c in phrase.candidates], present) if present else ()
        found.append(ExplainedPhrase(phrase, small.phrase_map(phrase.chars), tuple(ious)))
    return found


def _judged(response: Response, selection: Selection, subject: Subject, judge: Judge | None) -> Judged | None:
    if "judge" in response.provenance:
        # If the judge was not available, the grounder fell back to similarity.
        return Judged(selection if selection.by == "judge" else None, response.provenance["judge"])
    return select_by_judge(response.phrases, subject.image, subject.expression, judge) if judge else None
