"""Whether a run satisfies requirements; what is missing, partial, undefined or failed does not.

`as_json` gives the verdict as `pixfound check --json` prints it:

| key | meaning |
|---|---|
| `schema` | `pixfound-check/1`; the number changes when a key changes its meaning or goes |
| `run`, `passed`, `allow_partial` | the folder; whether every requirement holds; whether partial runs were allowed |
| `requirements` | one object for each model and requirement, in order, see the next table |

| key of a requirement | meaning |
|---|---|
| `requirement`, `task`, `metric`, `operator`, `bound` | as it was given, and its parts |
| `model` | the model's name as lmms-eval has it; null where the run has no results at all |
| `passed`, `status` | the latter is one of `STATUSES` |
| `value` | what the run reached, in 0..1; null where there is no such number |
| `reason` | why it does not pass, and what to do; empty where it does |
| `documents`, `known_documents` | evaluated, and those that there are; of a group the task's with the smallest share |
| `file` | the results file that was read |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pixfound_tasks.choices import check_choice
from pixfound_tasks.hosts.incompatibilities import failure_hint
from pixfound_tasks.runs.check.requirements import Requirement
from pixfound_tasks.runs.check.results import Coverage, ModelResults, TaskResult, read_results

SCHEMA = "pixfound-check/1"
STATUSES = ("passed", "short", "missing", "partial", "undefined", "failed")
_LISTED = 12  # names that an error lists


@dataclass(frozen=True)
class Verdict:
    """One requirement of one model; the module's docstring explains the fields."""

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
    """The verdicts on all models, or on the one named. Raises ValueError where the run has no model of that name."""
    found = read_results(run)
    if not found:
        return [Verdict(each, None, *_no_results(run)) for each in requirements]
    if model is not None:
        check_choice("--model", model, (results.model for results in found))
        found = [results for results in found if results.model == model]
    return [_judge(each, results, allow_partial) for results in found for each in requirements]


def as_json(run: Path, verdicts: Sequence[Verdict], allow_partial: bool) -> dict[str, Any]:
    """Verdicts as what `--json` prints."""
    return {
        "schema": SCHEMA,
        "run": str(run),
        "passed": all(verdict.passed for verdict in verdicts),
        "allow_partial": allow_partial,
        "requirements": [_as_json(verdict) for verdict in verdicts],
    }


def _judge(requirement: Requirement, results: ModelResults, allow_partial: bool) -> Verdict:
    again = "look at its log, then evaluate again"
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
        reason = f"it is {result.metrics[keys[0]]}, as where there was nothing to measure; the run's log says why"
        return Verdict(requirement, results.model, "undefined", reason, result=result)
    if not requirement.holds(value):
        return Verdict(requirement, results.model, "short", f"it is {value:.4f}", value, result)
    return Verdict(requirement, results.model, "passed", value=value, result=result)


def _no_results(run: Path) -> tuple[str, str]:
    came = "has no results" if run.is_dir() else "is a file" if run.exists() else "does not exist"
    return "missing", (
        f"{run} {came}; give the folder that was lmms-eval's --output_path. When an evaluation fails, lmms-eval writes "
        f"none and exits 0 all the same: look at its log, or run it with --verbosity DEBUG{failure_hint()}"
    )


def _no_such_task(task: str, tasks: Iterable[str]) -> str:
    return f"the run has no {task}{_instead(task, tasks)}; add it to lmms-eval's --tasks, or correct the name"


def _no_such_metric(requirement: Requirement, result: TaskResult, keys: Sequence[str]) -> str:
    if keys:
        written = " or ".join(f"{requirement.task}.{key}" for key in keys)
        return f"{requirement.task} has it of several filters; write {written}"
    names = {key.partition(",")[0] for key in result.metrics if "," in key and "_stderr" not in key} - {"pixfound"}
    return f"{requirement.task} has no {requirement.metric}{_instead(requirement.metric, names)}; correct the name"


def _keys(metrics: Mapping[str, Any], metric: str) -> list[str]:
    return [key for key in metrics if "," in key and metric in (key, key.partition(",")[0])]


def _instead(name: str, names: Iterable[str]) -> str:
    """The nearest name as a question, and the names that there are."""
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
