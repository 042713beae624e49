"""Compares two runs of a benchmark on the documents that both have: differences, their uncertainty, and the flips.

`as_json` returns what `pixfound compare --json` writes. Fractions are in 0..1, and undefined values are null:

| key | meaning |
|---|---|
| `schema` | `pixfound-compare/1`; the number changes if a key is removed or changes its meaning |
| `benchmarks` | one object per benchmark that both runs have; see the next table |

| key of a benchmark | meaning |
|---|---|
| `benchmark`, `first`, `second` | the benchmark's name; each run's `model` and `folder` |
| `documents`, `only_first`, `only_second` | number compared, and numbers left out because only one run has them |
| `differences` | one object per score; see the next table |
| `metrics` | one `MetricDifference` per metric of lmms-eval that both have, each over its run's documents |
| `flips` | per `what`: images, or pairs as `1+2`, correct only in the first run (`lost`) or the second (`gained`) |
| `regressions` | images whose IoU fell, the largest fall first |
| `settings` | settings that differ between the runs; `matters` is true if a difference makes scores less comparable |
| `warnings` | sentences about settings that matter, and about documents whose prompts or contents differ |

| key of a difference | meaning |
|---|---|
| `score`, `first`, `second` | a field of `summary.Summary`, and each run's value on what both runs have |
| `effect`, `low`, `high` | second minus first, and its 95 % interval; `reason` says why there is no interval |
| `units`, `left_out` | number of pairs or images that are resampled; number left out because only one run has them |
| `p_value`, `p_adjusted`, `test` | unadjusted; adjusted by Holm's method over all scores of all benchmarks; its name |
| `only_first`, `only_second` | number of units that only one run has correct, for McNemar's test |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pixfound_tasks.analysis import metrics
from pixfound_tasks.analysis.comparison import Paired, compare_correct, compare_means, compare_scores, holm
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.notebook import number, paragraph, table
from pixfound_tasks.runs.compare import values
from pixfound_tasks.runs.compare.flips import Flips, Regression, find_flips, find_regressions
from pixfound_tasks.runs.compare.settings import Setting, differing_settings, warn
from pixfound_tasks.runs.compare.values import Runs
from pixfound_tasks.runs.metrics import MetricDifference, compare_metrics
from pixfound_tasks.runs.run import RECORDED, Record, Run, RunError
from pixfound_tasks.runs.scores import Protocol

SCHEMA = "pixfound-compare/1"
MCNEMAR, BOOTSTRAP = "McNemar, exact", "paired bootstrap"


@dataclass(frozen=True)
class Difference:
    """A score of both runs on what both have, and their difference. `score` is a field of `Summary`."""

    score: str
    first: float
    second: float
    effect: Interval
    p_value: float
    test: str
    only_first: int | None = None
    only_second: int | None = None
    p_adjusted: float = math.nan


@dataclass(frozen=True)
class RunComparison:
    """The comparison of two runs on one benchmark; see the module's docstring for the fields."""

    first: Run
    second: Run
    documents: int
    only_first: int
    only_second: int
    differences: tuple[Difference, ...]
    metrics: tuple[MetricDifference, ...]
    flips: tuple[Flips, ...]
    regressions: tuple[Regression, ...]
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        """Shows the differences of scores, in a notebook."""
        title = f"{self.second.model} minus {self.first.model} on {self.first.benchmark}, {self.documents} images"
        headings = ("score", "first", "second", "difference", "95 % interval", "p", "p, adjusted")
        rows = [
            (each.score, number(each.first), number(each.second), number(each.effect.value),
             f"{number(each.effect.low)} to {number(each.effect.high)}", number(each.p_value), number(each.p_adjusted))
            for each in self.differences
        ]  # fmt: skip
        return table(title, headings, rows) + "".join(map(paragraph, self.warnings))


def compare_runs(pairs: Iterable[tuple[Run, Run]]) -> list[RunComparison]:
    """Compares each pair of runs, and adjusts the p-values over all comparisons together.

    Raises `RunError` if two runs have no document in common.
    """
    found = [_compare(first, second) for first, second in pairs]
    adjusted = iter(holm([each.p_value for comparison in found for each in comparison.differences]))
    return [
        replace(
            comparison,
            differences=tuple(replace(each, p_adjusted=next(adjusted)) for each in comparison.differences),
        )
        for comparison in found
    ]


def as_json(comparisons: Iterable[RunComparison]) -> dict[str, Any]:
    """Returns the comparisons as `--json` prints them."""
    return {"schema": SCHEMA, "benchmarks": [_as_json(comparison) for comparison in comparisons]}


def _compare(first: Run, second: Run) -> RunComparison:
    both = _shared(first, second)
    if not both:
        raise RunError(
            f"expected documents of {first.benchmark} that both runs have answers to, but got none; evaluate both on "
            "the same documents, for example without --offset."
        )
    settings = differing_settings(first, second, both)
    return RunComparison(
        first,
        second,
        documents=len(both),
        only_first=len(first.records) - len(both),
        only_second=len(second.records) - len(both),
        differences=tuple(_differences((first.records, second.records))),
        metrics=tuple(compare_metrics(first.metrics, second.metrics)),
        flips=tuple(find_flips(both)),
        regressions=tuple(find_regressions(both)),
        settings=tuple(settings),
        warnings=tuple(warn(settings, both)),
    )


def _shared(first: Run, second: Run) -> list[tuple[Record, Record]]:
    """Returns the documents that both runs answered in at least one protocol, in the first run's order."""
    others = {record.document.id: record for record in second.records}
    found = ((record, others.get(record.document.id)) for record in first.records)
    return [
        (record, other)
        for record, other in found
        if other and any(getattr(record, name) and getattr(other, name) for name in RECORDED.values())
    ]


def _differences(runs: Runs) -> Iterable[Difference]:
    """Yields the difference in each score that both runs have, in the order of the report."""
    answering = {name: values.by_pair(runs, protocol) for name, protocol in _ANSWERING.items()}
    grounding = {"grounding": values.by_image(runs, values.metric("ground", "miou"))}
    if all(map(values.any_open_masks, runs)):
        grounding["open_grounding"] = values.by_image(runs, values.open_iou)
    answering, grounding = ({k: v for k, v in part.items() if _has_both(v)} for part in (answering, grounding))
    has_pairs = any(record.document.pair is not None for records in runs for record in records)
    for name, paired in answering.items():
        compared = compare_correct(paired)
        yield Difference(name, *_means(paired), compared.effect, compared.p_value, MCNEMAR, *compared[2:])
        if has_pairs:
            accuracy = values.by_image(runs, values.metric(_ANSWERING[name], "accuracy"))
            yield _of_means(name.replace("answering", "accuracy"), accuracy)
    for name, paired in grounding.items():
        yield _of_means(name, paired)
    oracle = values.by_image(runs, values.oracle)
    if _has_both(oracle):
        yield _of_means("oracle_miou", oracle)
    if answering and grounding:
        parts = list(answering.values()), list(grounding.values())
        first, second = (metrics.score(*means) for means in zip(*(zip(*map(_means, part)) for part in parts)))
        yield Difference("score", first, second, *compare_scores(*parts), BOOTSTRAP)


_ANSWERING: dict[str, Protocol] = {"open_answering": "open", "answering": "vqa"}


def _of_means(name: str, paired: Paired) -> Difference:
    return Difference(name, *_means(paired), *compare_means(paired), BOOTSTRAP)


def _has_both(paired: Paired) -> bool:
    return bool(_known(paired))


def _means(paired: Paired) -> tuple[float, float]:
    """Returns each run's mean over the units that both have."""
    first, second = zip(*_known(paired))
    return metrics.mean(first), metrics.mean(second)


def _known(paired: Paired) -> list[tuple[float, float]]:
    return [pair for pair in zip(paired.first, paired.second) if not any(map(math.isnan, pair))]


def _as_json(comparison: RunComparison) -> dict[str, Any]:
    runs = {
        name: {"model": run.model, "folder": str(run.folder)}
        for name, run in (("first", comparison.first), ("second", comparison.second))
    }
    names = "documents", "only_first", "only_second", "metrics", "flips", "regressions", "settings", "warnings"
    rest = {name: getattr(comparison, name) for name in names}
    differences = [_difference_as_json(each) for each in comparison.differences]
    return _plain({"benchmark": comparison.first.benchmark, **runs, "differences": differences, **rest})


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    fields = asdict(difference)
    effect = difference.effect._asdict()
    return fields | {"effect": effect.pop("value"), **effect}


def _plain(value: Any) -> Any:
    """Converts a value to JSON types: tuples become lists, NaN becomes null."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
