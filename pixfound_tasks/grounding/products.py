"""Candidates of an answer with several points: unions with one mask of each point, as the study makes for Qwen2.5-VL.

A segmenter gives three masks for a point, and each of them may be the part that is meant. For n points there are 3^n
ways to take one mask of each. The study bounds this number: it takes all three masks of up to five points, the first
two of each of six to ten points, and the first one of more points. Source: `retrieve_permutations` in `infer_qwen.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING

from pixfound_tasks import masks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.mask_judge import select_by_judge
from pixfound_tasks.grounding.selection import Selected, Selector, check_mask, choose_candidate, select_first
from pixfound_tasks.grounding.study_mask_judge import select_as_study
from pixfound_tasks.prompts.judge import STUDY
from pixfound_tasks.response import Box, Candidate, Phrase, Point, Response, Selection

if TYPE_CHECKING:
    from PIL import Image

    from pixfound_tasks.judges.base import Judge

SELECTS = ("mask", "first", "judge")  # how one product is selected
MOST = 1000  # items of a list that a reader of responses takes; only ten points have more products, 1,024
_SEVERAL, _MANY = 5, 10  # points, of which only two masks, or one, are taken

Segment = Callable[[Sequence[Box | Point]], list[tuple[Candidate, ...]]]


def masks_of_points(found: Sequence[tuple[Candidate, ...]]) -> list[tuple[Candidate, ...]]:
    """Return the masks of each point that products are made of: the first three, two or one, as there are points."""
    count = 1 if len(found) > _MANY else 2 if len(found) > _SEVERAL else 3
    return [candidates[:count] for candidates in found]


def products(found: Sequence[tuple[Candidate, ...]]) -> list[Candidate]:
    """Return the unions with one mask of each point, at most `MOST`; the last point's masks vary fastest.

    `found` are the candidates of each point, all of one size. A product's score is the mean of its masks' scores. So
    the highest-scoring product has the highest-scoring masks, and the last product has the last ones.
    """
    return [_united(chosen) for chosen in islice(product(*masks_of_points(found)), MOST)] if found else []


def _united(chosen: Sequence[Candidate]) -> Candidate:
    size = chosen[0].mask["size"]
    union = masks.union([each.mask for each in chosen], (size[0], size[1]))
    return Candidate(union, math.fsum(each.score for each in chosen) / len(chosen))


def with_products(
    response: Response, segment: Segment, segmenter: str, select: Callable[[Sequence[Phrase]], Selected]
) -> Response:
    """Return the response with one phrase, whose candidates are the products, and the selected one as its mask.

    Repeated points count as often as they come, as in the study. A response that already has masks, or that has neither
    boxes nor points, is returned unchanged; neither `segment` nor `select` is called if the answer is "not there".
    `segmenter` is the name that the provenance records, beside the number of products that are left out, if any.
    """
    prompts: Sequence[Box | Point] = response.boxes or response.points or ()
    if response.masks is not None or not response.is_grounded:
        return response
    if not prompts:
        return replace(response, masks=(), provenance=response.provenance | {"segmenter": segmenter})
    distinct = list(dict.fromkeys(prompts))
    candidates = dict(zip(distinct, segment(distinct)))
    found = [candidates[prompt] for prompt in prompts]
    point = response.points[0] if response.points and len(prompts) == 1 else None
    phrase = Phrase(point, tuple(products(found)))
    left_out = math.prod(map(len, masks_of_points(found))) - len(phrase.candidates)
    selection, notes = select([phrase])
    chosen = () if selection.candidate is None else (phrase.candidates[selection.candidate].mask,)
    notes = {"segmenter": segmenter, **notes, **({"products_left_out": left_out} if left_out else {})}
    return replace(
        response, masks=chosen, phrases=(phrase,), selected=selection, provenance=response.provenance | notes
    )


def check_product_select(select: str, judge: object) -> None:
    """Raise ValueError if a product cannot be selected so, or a judge is missing or not used."""
    check_choice("select, with candidates=products,", select, SELECTS)
    if (select == "judge") != (judge is not None):
        raise ValueError(
            f"expected a judge with select=judge and only then, but got {select=} and "
            f"judge={getattr(judge, 'name', judge)!r}; give both or neither"
        )


def make_product_selector(
    select: str = "mask", judge: Judge | None = None, mask: str = "highest", judging: str = "default"
) -> Selector:
    """Return the selector of products with this name.

    Args:
        select: "mask", the product of the masks that the rule `mask` takes; "first", that of the first masks; or
            "judge", which falls back to "mask" if the judge is down.
        judge: the judge to ask, only with "judge".
        mask: "highest", "third" or "single", see `selection.choose_candidate`.
        judging: the rules of the judge's selection, "default" or "study".

    Raises:
        ValueError: `mask` is unknown; also see `check_product_select`.
    """
    check_product_select(select, judge)
    check_mask(mask)
    if judge is None:
        rule = select_first if select == "first" else _by_mask
        return lambda phrases, image, expression: Selected(rule(phrases, mask), {})
    asked = select_as_study if judging == STUDY else select_by_judge

    def select_one(phrases: Sequence[Phrase], image: Image.Image, expression: str) -> Selected:
        judged = asked(phrases, image, expression, judge)
        if judged.selection is not None:
            return Selected(judged.selection, {"judge": judged.notes})
        return Selected(_by_mask(phrases, mask), {"judge": judged.notes | {"status": f"down: mask={mask}"}})

    return select_one


def _by_mask(phrases: Sequence[Phrase], mask: str) -> Selection:
    return Selection(f"mask={mask}", 0, choose_candidate(phrases[0], mask))
