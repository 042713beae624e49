"""Our tasks in inspect_ai: `inspect eval pixfound_tasks/pixmini_vqa --model openai/gpt-4o`.

Prompts, scores and metrics are those of lmms-eval, see `tasks.adapted`. Boxes need `-T coordinates=pixel` (or
`thousand`, ...), which says what the model's numbers mean; `-T kind=point` changes the referring prompt. Replies are
scored while others are generated, so a segmenter shares the machine with a local model.

`python -m pixfound_tasks.inspect_ai_tasks LOG... FOLDER` writes logs as a run that `pixfound report FOLDER` reads.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState, generate
from loguru import logger

from pixfound_tasks import __version__
from pixfound_tasks.benchmarks.image_files import image_files
from pixfound_tasks.protocols import Metric as OurMetric
from pixfound_tasks.protocols import find_task, metrics_of
from pixfound_tasks.runs.writing import RunSettings, TaskLog, write_task
from pixfound_tasks.tasks.adapted import AdaptedTask, adapted_tasks, group_members, group_scores

BACKEND = "inspect_ai"  # in place of lmms-eval's --model
_SHOWN = {"choice": "accuracy", "open": "accuracy", "referring": "miou"}  # the value of a single sample


def inspect_task(adapted: AdaptedTask, kind: str = "box", coordinates: str | None = None) -> Task:
    """The task for inspect_ai. Raises ValueError for an unknown kind or convention, `DataError` if files are missing.

    Args:
        adapted: the task.
        kind: the kind of referring prompt, see `prompts.text.REFERRING`; PIXFOUND_KIND goes first.
        coordinates: the convention of the coordinates in replies; PIXFOUND_COORDINATES goes first.
    """
    declared = {"kind": kind, "coordinates": coordinates}
    documents = adapted.documents()
    files = image_files(adapted.benchmark.name, (doc["id"] for doc in documents))
    samples = []
    for number, (doc, file) in enumerate(zip(documents, files)):
        prompt = adapted.prompt(doc, declared)
        message = ChatMessageUser(content=[ContentImage(image=str(file)), ContentText(text=prompt)])
        notes = {"doc": json.dumps(doc), "prompt": prompt, "number": number}
        samples.append(Sample(input=[message], target=adapted.target(doc), id=doc["id"], metadata=notes))
    config = GenerateConfig(max_tokens=adapted.protocol.max_new_tokens, temperature=0.0)
    dataset = MemoryDataset(samples, name=adapted.name)
    return Task(dataset, solver=generate(), scorer=_scorer(adapted), config=config, name=adapted.name)


def _scorer(adapted: AdaptedTask) -> Scorer:
    shown = _SHOWN[adapted.protocol.asks]

    @scorer(metrics=_metrics(adapted), name=adapted.protocol.suffix)
    def made() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            doc, notes = json.loads(state.metadata["doc"]), state.metadata
            sample = adapted.sample(doc, notes["prompt"], state.output.completion, notes["number"])
            value = sample[shown]
            number = value[0] if isinstance(value, (list, tuple)) else value  # the IoU of an open answer
            text = ", ".join(sample["faults"]) or None
            plain = json.loads(json.dumps(sample))
            value = math.nan if number is None else float(number)
            return Score(value=value, answer=sample["filtered_resps"], explanation=text, metadata={"sample": plain})

        return score

    return made()


def _metrics(adapted: AdaptedTask) -> list[Metric]:
    """The task's metrics, each over the parts that the samples hold."""

    def named(ours: OurMetric) -> Metric:
        @metric(name=ours.name)
        def made() -> Metric:
            def compute(scores: list[SampleScore]) -> float:
                return adapted.metric(ours, [each.score.metadata["sample"] for each in scores if each.score.metadata])

            return compute

        return made()

    return [named(each) for each in metrics_of(adapted.protocol, adapted.benchmark)]


def _registered(adapted: AdaptedTask) -> Callable[..., Task]:
    @task(name=adapted.name)
    def made(kind: str = "box", coordinates: str | None = None) -> Task:
        return inspect_task(adapted, kind, coordinates)

    return made


# inspect_ai computes metrics again and again while replies come in, of few samples at first.
logger.disable("pixfound_tasks.tasks.aggregations")
# inspect_ai finds tasks among the names of a module.
globals().update({adapted.name: _registered(adapted) for adapted in adapted_tasks()})


def write_run(logs: list[Path], folder: Path) -> list[Path]:
    """Write logs of our tasks as runs in the folders of their models, and return the results files.

    Raises ValueError for a log that did not end well or is not of our tasks.
    """
    written: list[Path] = []
    metrics: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    evaluated: dict[str, dict[str, tuple[int, int]]] = {}
    for file in logs:
        log = read_eval_log(str(file))
        name = log.eval.task.rpartition("/")[2]
        found = find_task(name)
        if found is None or log.status != "success":
            raise ValueError(f"expected a finished log of a task of pixfound-tasks, but {file} is {log.status}: {name}")
        adapted = next(each for each in adapted_tasks(found.benchmark) if each.name == name)
        samples, model = _samples(log), log.eval.model
        ours = metrics.setdefault((model, found.benchmark), {})
        ours[found.protocol.suffix] = adapted.metrics(samples)
        members, counts = group_members(found.benchmark), evaluated.setdefault(model, {})
        known = adapted.benchmark.document_count
        counts[name] = (len(samples), known)
        scores = {each: score for each, score in group_scores(found.benchmark, ours).items() if name in members[each]}
        entry = TaskLog(name, samples, ours[found.protocol.suffix], known, scores, members, dict(counts))
        limit = len(samples) if len(samples) < known else None
        versions = {"pixfound-tasks": __version__, "inspect_ai": version("inspect_ai")}
        arguments = ",".join(f"{key}={value}" for key, value in log.eval.task_args.items() if value is not None)
        settings = RunSettings(model, BACKEND, arguments, versions, limit)
        written.append(write_task(folder / model.replace("/", "__"), entry, settings))
    return written


def _samples(log: EvalLog) -> list[dict[str, Any]]:
    return [
        score.metadata["sample"]
        for sample in log.samples or ()
        for score in (sample.scores or {}).values()
        if score.metadata and "sample" in score.metadata
    ]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit("expected logs and a folder: python -m pixfound_tasks.inspect_ai_tasks LOG... FOLDER")
    try:
        print(*write_run([Path(each) for each in sys.argv[1:-1]], Path(sys.argv[-1])), sep="\n")
    except (ValueError, OSError) as error:
        raise SystemExit(f"Error: {error}") from error
