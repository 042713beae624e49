"""One task without lmms-eval: its documents, prompts, scores and metrics, for the adapters of other harnesses.

The functions are those that the task's YAML names, so the same replies give the same numbers as in lmms-eval. Nothing
here imports lmms-eval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pixfound_tasks import benchmarks
from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.registry import get_benchmark, usable_benchmarks
from pixfound_tasks.protocols import PROTOCOL_OF_SUFFIX, Metric, Protocol, metrics_of
from pixfound_tasks.task_files import GROUP_MEMBERS
from pixfound_tasks.tasks.aggregations import OpenScore
from pixfound_tasks.tasks.document import Document

if TYPE_CHECKING:
    from PIL.Image import Image

# The suffixes of the protocols that any model can answer in text, with one prompt per document.
ADAPTED = ("vqa", "vqa_open", "ground")


@dataclass(frozen=True)
class AdaptedTask:
    """A task of ours, for a harness that has its own way to load, run and save.

    Call `prompt` for every document before the first call of `score`: what is declared of the model is stored there.
    """

    benchmark: Benchmark
    protocol: Protocol

    @property
    def name(self) -> str:
        """The task's name in lmms-eval, such as "pixmini_vqa"."""
        return f"{self.benchmark.name}_{self.protocol.suffix}"

    def documents(self) -> list[Document]:
        """The documents without their images. Raises `DataError` if files are missing."""
        return benchmarks.load(self.benchmark.name)["test"].remove_columns("image").to_list()

    def images(self) -> Mapping[str, Image]:
        """The images (RGB) by document id. Each is decoded on access."""
        return benchmarks.images(self.benchmark.name)

    def prompt(self, doc: Document, declared: Mapping[str, Any] | None = None) -> str:
        """The prompt. `declared` is what is known of the model, see `model_profiles.BY_MODEL`.

        Raises ValueError for a setting that means nothing.
        """
        return _function(self.protocol.prompt)(doc, declared)

    def target(self, doc: Document) -> str:
        """The correct option's letter, or the referring expression."""
        return _function(self.protocol.target)(doc)

    def score(self, doc: Document, reply: str | None) -> dict[str, Any]:
        """The reply's parts of the metrics, and its faults; None: the request failed. No reply makes it raise."""
        return _function(self.protocol.score)(doc, [reply if reply is None else reply.strip()])

    def sample(self, doc: Document, prompt: str, reply: str | None, number: int) -> dict[str, Any]:
        """The scored reply as lmms-eval logs it, for `runs.writing`. `number` is the document's place in the task."""
        parts = self.score(doc, reply)
        text = "" if reply is None else reply.strip()
        return {"doc_id": number, "target": self.target(doc), "input": prompt, "filtered_resps": text, **parts}

    def metrics(self, samples: Iterable[Mapping[str, Any]]) -> dict[str, float]:
        """The task's metrics over scored replies, by name. A metric that has nothing to average is NaN."""
        samples = list(samples)
        return {each.name: self.metric(each, samples) for each in metrics_of(self.protocol, self.benchmark)}

    def metric(self, metric: Metric, samples: Iterable[Mapping[str, Any]]) -> float:
        """One metric over scored replies."""
        return float(_function(metric.aggregation)([sample[metric.name] for sample in samples]))


def adapted_tasks(benchmark: str | None = None) -> list[AdaptedTask]:
    """The tasks of one benchmark, or of all that can be loaded. Raises ValueError for an unknown benchmark."""
    chosen = usable_benchmarks() if benchmark is None else [get_benchmark(benchmark)]
    return [AdaptedTask(each, PROTOCOL_OF_SUFFIX[suffix]) for each in chosen for suffix in ADAPTED]


def group_scores(benchmark: str, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The score S of every group whose tasks are all there. `metrics` are by the suffix of the task and their name."""
    found = {}
    for end, (suffixes, aggregation) in GROUP_MEMBERS.items():
        if all(suffix in metrics for suffix in suffixes):
            values = [_task_score(suffix, metrics[suffix]) for suffix in suffixes]
            score = _function(f"tasks.aggregations.{aggregation}")(values, [1] * len(values), False)
            found[f"{benchmark}{end}"] = float(score)
    return found


def _task_score(suffix: str, metrics: Mapping[str, float]) -> float:
    """The task's score; that of open answers carries their grounding along, see `aggregations.OpenScore`."""
    if suffix != "vqa_open":
        return metrics["score"]
    score = OpenScore(metrics["score"])
    score.miou = metrics["miou"]
    return score


def group_members(benchmark: str) -> dict[str, Sequence[str]]:
    """The names of the tasks of each group."""
    return {f"{benchmark}{end}": [f"{benchmark}_{each}" for each in parts] for end, (parts, _) in GROUP_MEMBERS.items()}


def _function(place: str) -> Callable[..., Any]:
    """The function at a place in this package, such as "tasks.choice.choice_prompt"."""
    module, _, name = place.rpartition(".")
    return getattr(import_module(f"pixfound_tasks.{module}"), name)
