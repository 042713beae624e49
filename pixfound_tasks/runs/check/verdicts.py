"""Checks whether a run meets requirements. Missing, partial, undefined and failed results do not meet them.

Neither do scores of which most answers are `unparsed` or `unjudged`, unless that is itself required to be below
something: `pixmini_vqa.unparsed<=1` accepts any number of them.

`as_json` returns what `pixfound check --json` prints:

| key | meaning |
|---|---|
| `schema` | `pixfound-check/1`; the number changes if a key is removed or changes its meaning |
| `run`, `passed`, `allow_partial` | the folder; whether every requirement is met; whether partial runs were allowed |
| `requirements` | one object per model and requirement, in order; see the next table |

| key of a requirement | meaning |
|---|---|
| `requirement`, `task`, `metric`, `operator`, `bound` | the requirement's text, and its parts |
| `model` | the model's name as lmms-eval reports it; null if the run has no results |
| `passed`, `status` | whether the requirement is met; one of `STATUSES` |
| `value` | the run's value, in 0..1; null if it is missing or undefined |
| `reason` | why the requirement is not met, and what to do; empty if it is met |
| `documents`, `known_documents` | evaluated and available; for a group, of its task with the lowest fraction |
| `file` | the results file that was read |
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pixfound_tasks.analysis.faults import MOST_UNREADABLE
from pixfound_tasks.choices import check_choice
from pixfound_tasks.hosts.incompatibilities import failure_hint
from pixfound_tasks.runs.check.requirements import Requirement
from pixfound_tasks.runs.check.results import Coverage, ModelResults, TaskResult, read_results

SCHEMA = "pixfound-check/1"
STATUSES = ("passed", "short", "missing", "partial", "undefined", "unreadable", "failed")
_UNREADABLE = ("unparsed", "unjudged")  # metrics
_LISTED = 12  # names listed in an error


@dataclass(frozen=True)
class Verdict:
    """The verdict on one requirement and one model; see the module's docstring for the fields."""

    requirement: Requirement
    model: str | None
    status: str
    reason: str = ""
    value: float | None = None
    result: TaskResult | None = None

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def check(
    run: Path, requirements: Sequence[Requirement], model: str | None = None, allow_partial: bool = False
) -> list[Verdict]:
    """Checks all models, or only `model`. Raises `ValueError` if the run has no model of that name."""
    found = read_results(run)
    if not found:
        return [Verdict(each, None, *_no_results(run)) for each in requirements]
    if model is not None:
        check_choice("--model", model, (results.model for results in found))
        found = [results for results in found if results.model == model]
    accepted = {each.task for each in requirements if each.metric.partition(",")[0] in _UNREADABLE}
    return [
        _unreadable(each, results, accepted) or _judge(each, results, allow_partial)
        for results in found
        for each in requirements
    ]


def as_json(run: Path, verdicts: Sequence[Verdict], allow_partial: bool) -> dict[str, Any]:
    """Returns the verdicts as `--json` prints them."""
    return {
        "schema": SCHEMA,
        "run": str(run),
        "passed": all(verdict.passed for verdict in verdicts),
        "allow_partial": allow_partial,
        "requirements": [_as_json(verdict) for verdict in verdicts],
    }


def _unreadable(requirement: Requirement, results: ModelResults, accepted: Collection[str]) -> Verdict | None:
    """Returns a verdict if most answers of the requirement's task, or of one of its group's, could not be read."""
    result = results.tasks.get(requirement.task)
    if result is None or results.broken or result.failed:
        return None
    tasks = dict.fromkeys([requirement.task, *(part.task for part in result.coverage)])
    for task in [task for task in tasks if task in results.tasks and task not in accepted]:
        metrics = results.tasks[task].metrics
        for key in [key for name in _UNREADABLE for key in _keys(metrics, name)]:
            name, value = key.partition(",")[0], _number(metrics[key])
            if value is not None and value > MOST_UNREADABLE:
                reason = (
                    f"{value:.0%} of the answers of {task} are {name}, so its scores say little; pixfound report says "
                    f"what to do, and --require '{task}.{name}<=1' accepts them"
                )
                return Verdict(requirement, results.model, "unreadable", reason, result=result)
    return None


def _judge(requirement: Requirement, results: ModelResults, allow_partial: bool) -> Verdict:
    again = "read its log, then evaluate again"
    if results.broken:
        return Verdict(requirement, results.model, "failed", f"{results.broken}; {again}")
    result = results.tasks.get(requirement.task)
    if result is None:
        return Verdict(requirement, results.model, "missing", _no_such_task(requirement.task, results.tasks))
    if result.failed:
        return Verdict(requirement, results.model, "failed", f"{result.failed}; {again}", result=result)
    keys = _keys(result.metrics, requirement.metric)
    if len(keys) != 1:
        return Verdict(requirement, results.model, "missing", _no_such_metric(requirement, result, keys), result=result)
    value = _number(result.metrics[keys[0]])
    if not allow_partial and (parts := [part for part in result.coverage if part.partial]):
        return Verdict(requirement, results.model, "partial", _how_partial(parts), value, result)
    if value is None:
        reason = f"it is {result.metrics[keys[0]]}, so nothing was measured; the run's log says why"
        return Verdict(requirement, results.model, "undefined", reason, result=result)
    if not requirement.holds(value):
        return Verdict(requirement, results.model, "short", f"it is {value:.4f}", value, result)
    return Verdict(requirement, results.model, "passed", value=value, result=result)


def _no_results(run: Path) -> tuple[str, str]:
    came = "has no results" if run.is_dir() else "is a file" if run.exists() else "does not exist"
    return "missing", (
        f"{run} {came}; give the folder that was lmms-eval's --output_path. If an evaluation fails, lmms-eval writes "
        f"no results: read its log, or run it with --verbosity DEBUG{failure_hint()}"
    )


def _no_such_task(task: str, tasks: Iterable[str]) -> str:
    return f"the run has no {task}{_instead(task, tasks)}; add it to lmms-eval's --tasks, or correct the name"


def _no_such_metric(requirement: Requirement, result: TaskResult, keys: Sequence[str]) -> str:
    if keys:
        written = " or ".join(f"{requirement.task}.{key}" for key in keys)
        return f"{requirement.task} has this metric from several filters; write {written}"
    names = {key.partition(",")[0] for key in result.metrics if "," in key and "_stderr" not in key} - {"pixfound"}
    if names <= {"bypass"}:  # what lmms-eval calls it
        return (
            f"{requirement.task} has no scores, as in a run with --predict_only; run it again without that option "
            "(with the same --use_cache, the model need not answer again)"
        )
    return f"{requirement.task} has no {requirement.metric}{_instead(requirement.metric, names)}; correct the name"


def _keys(metrics: Mapping[str, Any], metric: str) -> list[str]:
    return [key for key in metrics if "," in key and metric in (key, key.partition(",")[0])]


def _instead(name: str, names: Iterable[str]) -> str:
    """Suggests the nearest name and lists the available ones."""
    names = sorted(names)
    nearest = get_close_matches(name, names, n=1)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    asked = f" (did you mean {nearest[0]}?)" if nearest else ""
    return f"{asked}, but {', '.join(names[:_LISTED]) or 'nothing'}{more}"


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def _how_partial(parts: Sequence[Coverage]) -> str:
    said = []
    for part in parts:
        counts = "" if part.documents is None else f" has {part.documents} of {part.known} documents"
        said.append(f"{part.task}{counts}" + (f" ({part.limited_by})" if part.limited_by else ""))
    return f"partial: {', '.join(said)}; evaluate all documents, or add --allow-partial"


def _as_json(verdict: Verdict) -> dict[str, Any]:
    text, task, metric, operator, bound = verdict.requirement
    coverage = verdict.result.coverage if verdict.result else ()
    counted = [(part.documents, part.known) for part in coverage if part.documents is not None and part.known]
    documents, known = min(counted, key=lambda counts: counts[0] / counts[1], default=(None, None))
    return {
        "requirement": text,
        "task": task,
        "metric": metric,
        "operator": operator,
        "bound": bound,
        "model": verdict.model,
        "passed": verdict.passed,
        "status": verdict.status,
        "value": verdict.value,
        "reason": verdict.reason,
        "documents": documents,
        "known_documents": known,
        "file": str(verdict.result.file) if verdict.result else None,
    }
