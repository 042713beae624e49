"""Two runs of a benchmark on the documents that both have: by how much they differ, where, and how sure that is.

`as_json` gives what `pixfound compare --json` writes; shares are in 0..1, what is not defined is null:

| key | meaning |
|---|---|
| `schema` | `pixfound-compare/1`; the number changes when a key changes its meaning or goes |
| `benchmarks` | one object for each benchmark that both runs have, see the next table |

| key of a benchmark | meaning |
|---|---|
| `benchmark`, `first`, `second` | its name; each run's `model` and `folder` |
| `documents`, `only_first`, `only_second` | compared ones, and those left out because one run alone has them |
| `differences` | one object for each score, see the next table |
| `flips` | per `what`: images, or pairs as `1+2`, right in the first run alone (`lost`) or in the second (`gained`) |
| `regressions` | images whose IoU fell, the worst first |
| `settings` | what differs in how the runs were made; `matters` where scores cannot be compared without regard to it |
| `warnings` | the same in words, and documents whose prompts or contents differ |

| key of a difference | meaning |
|---|---|
| `score`, `first`, `second` | a field of `summary.Summary`, and both runs' values on what both have |
| `effect`, `low`, `high` | the second minus the first, and its 95 % interval; `reason` says why there is none |
| `units`, `left_out` | pairs or images that are drawn; values left out because one run alone has them |
| `p_value`, `p_adjusted`, `test` | as it is, and by Holm's method for all scores of all benchmarks together |
| `only_first`, `only_second` | what one run alone has right, of McNemar's test |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pixfound_tasks.analysis.comparison import Paired, compare_means, compare_right, compare_scores, holm
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.runs.compare import values
from pixfound_tasks.runs.compare.flips import Flips, Regression, find_flips, find_regressions
from pixfound_tasks.runs.compare.settings import Setting, differing_settings, warn
from pixfound_tasks.runs.compare.values import Runs
from pixfound_tasks.runs.run import RECORDED, Record, Run, RunError
from pixfound_tasks.runs.scores import Protocol
from pixfound_tasks.scoring import metrics

SCHEMA = "pixfound-compare/1"
MCNEMAR, BOOTSTRAP = "McNemar, exact", "paired bootstrap"


@dataclass(frozen=True)
class Difference:
    """A score of both runs on what both have, and the second's minus the first's; `score` is a field of `Summary`."""

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
    """Two runs of one benchmark; the module's docstring explains the fields."""

    first: Run
    second: Run
    documents: int
    only_first: int
    only_second: int
    differences: tuple[Difference, ...]
    flips: tuple[Flips, ...]
    regressions: tuple[Regression, ...]
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]


def compare_runs(pairs: Iterable[tuple[Run, Run]]) -> list[RunComparison]:
    """Each pair's comparison, p-values adjusted for all of them together.

    Raises `RunError` where two runs have no document in common.
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
    """Comparisons as what `--json` prints."""
    return {"schema": SCHEMA, "benchmarks": [_as_json(comparison) for comparison in comparisons]}


def _compare(first: Run, second: Run) -> RunComparison:
    both = _shared(first, second)
    if not both:
        raise RunError(
            f"expected documents of {first.benchmark} that both runs have answers to, but got none; evaluate both on "
            "the same documents, such as without --offset."
        )
    settings = differing_settings(first, second, both)
    return RunComparison(
        first,
        second,
        documents=len(both),
        only_first=len(first.records) - len(both),
        only_second=len(second.records) - len(both),
        differences=tuple(_differences((first.records, second.records))),
        flips=tuple(find_flips(both)),
        regressions=tuple(find_regressions(both)),
        settings=tuple(settings),
        warnings=tuple(warn(settings, both)),
    )


def _shared(first: Run, second: Run) -> list[tuple[Record, Record]]:
    """The documents of which both have an answer to one of the protocols, in the first run's order."""
    others = {record.document.id: record for record in second.records}
    found = ((record, others.get(record.document.id)) for record in first.records)
    return [
        (record, other)
        for record, other in found
        if other and any(getattr(record, name) and getattr(other, name) for name in RECORDED.values())
    ]


def _differences(runs: Runs) -> Iterable[Difference]:
    """Of every score that both runs have a value of, in the order in which reports print them."""
    answering = {name: values.by_pair(runs, protocol) for name, protocol in _ANSWERING.items()}
    grounding = {"grounding": values.by_image(runs, values.metric("ground", "miou"))}
    if all(map(values.any_open_masks, runs)):
        grounding["open_grounding"] = values.by_image(runs, values.open_iou)
    answering, grounding = ({k: v for k, v in part.items() if _has_both(v)} for part in (answering, grounding))
    has_pairs = any(record.document.pair is not None for records in runs for record in records)
    for name, paired in answering.items():
        compared = compare_right(paired)
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
    """Both runs' means of what both have."""
    first, second = zip(*_known(paired))
    return metrics.mean(first), metrics.mean(second)


def _known(paired: Paired) -> list[tuple[float, float]]:
    return [pair for pair in zip(paired.first, paired.second) if not any(map(math.isnan, pair))]


def _as_json(comparison: RunComparison) -> dict[str, Any]:
    runs = {
        name: {"model": run.model, "folder": str(run.folder)}
        for name, run in (("first", comparison.first), ("second", comparison.second))
    }
    rest = {
        name: getattr(comparison, name)
        for name in ("documents", "only_first", "only_second", "flips", "regressions", "settings", "warnings")
    }
    differences = [_difference_as_json(each) for each in comparison.differences]
    return _plain({"benchmark": comparison.first.benchmark, **runs, "differences": differences, **rest})


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    fields = asdict(difference)
    effect = difference.effect._asdict()
    return fields | {"effect": effect.pop("value"), **effect}


def _plain(value: Any) -> Any:
    """As JSON has it: tuples as lists, NaN as null."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
