"""Functions that the prompt-sensitivity task YAMLs name: prompts, images, scores and metrics of varied documents.

A document has the columns of `prompts.variants`. `score`, `spread`, `worst` and `drop` are the
`analysis.sensitivity.Statistics` over the scores of all variations, without the original.

`score_spelling` and the like are the same over the variations of one type. A variation without a score (no complete
pair, no expression) is left out. Answers are compared with the options as the benchmark writes them, without typos;
with PIXFOUND_VARIATIONS=study, with those of the varied prompt. A judge of choices (PIXFOUND_CHOICEJUDGE) replaces that
rule, as in the study's check of these results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from loguru import logger
from PIL.Image import Image

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.sensitivity import VariantPart, measure, statistics
from pixfound_tasks.benchmarks.expressions import prompted_expression
from pixfound_tasks.prompts import variants
from pixfound_tasks.prompts.text import COORDINATES
from pixfound_tasks.tasks import aggregations, choice, model_profiles, referring
from pixfound_tasks.tasks.answer_masks import image_of
from pixfound_tasks.tasks.document import Document

_KEPT = ("unparsed", "judgement", "faults", "pixfound", "grounded")  # of a sample, beside its parts of the metrics


def image(doc: Document) -> list[Image]:
    """The document's one image, RGB, with the visual change of its variation."""
    return [image_of(doc)]


def choice_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The varied question, or the original one."""
    usual = choice.choice_prompt(doc, lmms_eval_specific_kwargs)
    return doc["varied_prompt"] or usual


def referring_prompt(doc: Document, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The referring prompt of `referring.referring_prompt`, or the variation's own for the model's kind of prompt.

    Raises ValueError for models that are prompted with the phrase alone. lmms-eval's `sam3` takes no prompt: it reads
    the expression and the image from the document, and would not see the variations.
    """
    usual = referring.referring_prompt(doc, lmms_eval_specific_kwargs)
    kind = model_profiles.get_profile(doc["benchmark"]).kind
    if kind == "phrase":
        raise ValueError(
            "expected a model that takes a text prompt, but got one that is prompted with the phrase alone; run "
            "it on the task without variations"
        )
    asks_boxes = kind in COORDINATES
    template = doc["box_template" if asks_boxes else "template"]
    return template.format(prompted_expression(doc)) if template else usual


def score_choice(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The answer's part of each metric, by the `paper` rule or a judge, see `choice.score_choice`."""
    return _parts(doc, choice.score_choice(doc, results), variants.choice_types())


def score_wording(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The IoU as part of each metric, for varied wordings."""
    return _parts(doc, referring.score_grounding(doc, results), variants.WORDING_TYPES)


def score_picture(doc: Document, results: Sequence[str]) -> dict[str, Any]:
    """The IoU with the changed ground-truth mask as part of each metric, for varied images."""
    return _parts(doc, referring.score_grounding(doc, results), variants.VISUAL_TYPES)


def _parts(doc: Document, found: dict[str, Any], types: Sequence[str]) -> dict[str, Any]:
    """The original is part of the metrics of every type; a variation only of those of its own type."""
    part = VariantPart(doc["variation_type"], doc["variation"], found["score"])
    of_types = types if part.type == variants.ORIGINAL else (part.type,)
    kept = {name: found[name] for name in _KEPT if name in found}
    return dict.fromkeys(metric_names(of_types), part) | kept


def metric_names(types: Sequence[str]) -> list[str]:
    """`score`, `spread`, `worst` and `drop`, then the same for each type of variation."""
    return [*STATISTICS, *(f"{name}_{type}" for type in types for name in STATISTICS)]


def score(parts: Iterable[Sequence[Any]]) -> float:
    """The mean over the variations."""
    return _over_variations("score", parts)


def spread(parts: Iterable[Sequence[Any]]) -> float:
    """The population standard deviation over the variations."""
    return _over_variations("spread", parts)


def worst(parts: Iterable[Sequence[Any]]) -> float:
    """The lowest score of any variation."""
    return _over_variations("worst", parts)


def drop(parts: Iterable[Sequence[Any]]) -> float:
    """The original's score minus the mean over the variations."""
    return _over_variations("drop", parts)


STATISTICS: dict[str, Callable[[Iterable[Sequence[Any]]], float]] = {
    "score": score, "spread": spread, "worst": worst, "drop": drop,
}  # fmt: skip
_HIGHER_IS_BETTER = ("score", "worst")


def _over_variations(name: str, parts: Iterable[Sequence[Any]]) -> float:
    """The statistic over the variations' scores.

    NaN, with the reason in the log, if no variation has a score, or if the original has none and the statistic needs
    it.
    """
    values: dict[tuple[str, int], list[Any]] = {}
    for type, variation, value in parts:
        values.setdefault((type, variation), []).append(value)
    measured = {variation: measure(enumerate(of_variation)) for variation, of_variation in values.items()}
    original = metrics.mean(measured.pop((variants.ORIGINAL, 0), {}).values())
    # Sorted, because the order of documents depends on the number of processes.
    scores = sorted(metrics.mean(found.values()) for found in measured.values() if found)
    found: float = getattr(statistics(original, scores), name)
    if math.isnan(found):
        missing = "no variation has a whole pair or a value" if not scores else "the original has none"
        logger.warning(f"{name} is NaN: {missing}, or the segmenter was missing for a box or point, as logged above")
    return found


def _metric_list(types: Sequence[str]) -> list[dict[str, Any]]:
    listed = [
        {
            "metric": name,
            "aggregation": STATISTICS[name.partition("_")[0]],
            "higher_is_better": name.partition("_")[0] in _HIGHER_IS_BETTER,
        }
        for name in metric_names(types)
    ]
    return [*listed, {"metric": "unparsed", "aggregation": aggregations.flag_rate, "higher_is_better": False}]


def __getattr__(attribute: str) -> list[dict[str, Any]]:
    """The `metric_list` of each kind of task. It is a new list each time, because lmms-eval writes into it."""
    types: dict[str, Callable[[], Sequence[str]]] = {
        "CHOICE_METRICS": variants.choice_types,
        "WORDING_METRICS": lambda: variants.WORDING_TYPES,
        "PICTURE_METRICS": lambda: variants.VISUAL_TYPES,
    }
    if attribute in types:
        return _metric_list(types[attribute]())
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
