"""The protocols: what every benchmark is asked, with what functions, and which metrics come of it.

`PROTOCOLS` is the one table. The task YAMLs are written from it (`task_files`), and models and reports find a task's
row by its name (`find_task`). Functions are named by their place in `pixfound_tasks`, so that this module imports
nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.registry import benchmark_names


class Metric(NamedTuple):
    """A metric of a task: its name, the function over the documents' values, and whether more of it is better.

    `is_of_pairs` metrics are left out of the tasks of benchmarks without pairs, `is_of_sources` metrics of those whose
    images have one source.
    """

    name: str
    aggregation: str
    higher_is_better: bool = True
    is_of_pairs: bool = False
    is_of_sources: bool = False


@dataclass(frozen=True)
class Protocol:
    """One task of every benchmark.

    Args:
        suffix: the end of the task's name, after the benchmark's and an underscore.
        comment: what the task is, for the first line of its YAML.
        asks: a choice question, an open question, or for the object of a referring expression.
        prompt: the function that gives a document's prompt.
        target: the function that gives a document's target.
        score: the function that scores an answer.
        metrics: the first one is the task's score. Of tasks with variations the name of a function that lists them:
            what they are depends on the variations.
        max_new_tokens: the longest answer.
        record: the field of a run's records that holds the answers; empty if documents are prompted several times.
        documents: the function that makes several prompts of a document; empty if there is one.
        image: the function that gives a document's image.
        variations: how many variations of each type there are; 0 if the task has none.
        tag: the lmms-eval tag of the task.
    """

    suffix: str
    comment: str
    asks: Literal["choice", "open", "referring"]
    prompt: str
    target: str
    score: str
    metrics: tuple[Metric, ...] | str
    max_new_tokens: int
    record: str = ""
    documents: str = ""
    image: str = "tasks.document.image"
    variations: int = 0
    tag: str = "pixfoundation"

    @property
    def is_repeated(self) -> bool:
        """Whether every document is prompted several times."""
        return bool(self.documents)


class Task(NamedTuple):
    """A task of ours: the name of its benchmark, and its protocol."""

    benchmark: str
    protocol: Protocol


_MEAN, _PAIRS = "tasks.aggregations.mean", "tasks.aggregations.pair_accuracy"
_FLAGS, _SOURCES = "tasks.aggregations.flag_rate", "tasks.aggregations.source_mean"
_ANSWER, _EXPRESSION = "tasks.document.answer_target", "tasks.referring.referring_target"

_CHOICE = Protocol(
    suffix="vqa",
    comment="Protocol 2: a choice question.",
    asks="choice",
    prompt="tasks.choice.choice_prompt",
    target=_ANSWER,
    score="tasks.choice.score_choice",
    metrics=(
        Metric("score", _PAIRS),
        Metric("pair_accuracy", _PAIRS, is_of_pairs=True),
        Metric("accuracy", _MEAN),
        Metric("lenient_accuracy", _MEAN),
        Metric("unparsed", _FLAGS, higher_is_better=False),
        Metric("source_mean", _SOURCES, is_of_sources=True),
    ),
    max_new_tokens=64,
    record="vqa",
)
_OPEN = Protocol(
    suffix="vqa_open",
    comment="Protocol 1: an open answer to the same question, graded by the judge that PIXFOUND_JUDGE names.",
    asks="open",
    prompt="tasks.open.open_prompt",
    target=_ANSWER,
    score="tasks.open.score_open",
    metrics=(
        Metric("score", "tasks.aggregations.open_score"),
        Metric("pair_accuracy", _PAIRS, is_of_pairs=True),
        Metric("accuracy", _MEAN),
        Metric("unjudged", _FLAGS, higher_is_better=False),
        Metric("miou", "tasks.aggregations.open_miou"),
    ),
    max_new_tokens=256,
    record="open",
)
_REFERRING = Protocol(
    suffix="ground",
    comment="Protocol 3: a referring expression.",
    asks="referring",
    prompt="tasks.referring.referring_prompt",
    target=_EXPRESSION,
    score="tasks.referring.score_grounding",
    metrics=(
        Metric("score", _MEAN),
        Metric("miou", _MEAN),
        Metric("ciou", "tasks.aggregations.cumulative_iou"),
        Metric("precision_50", _MEAN),
        Metric("absent_accuracy", "tasks.aggregations.mean_of_absent"),
        Metric("oracle_miou", _MEAN),
        Metric("unparsed", _FLAGS, higher_is_better=False),
        Metric("source_mean", _SOURCES, is_of_sources=True),
    ),
    max_new_tokens=256,
    record="ground",
)
_WHEN = Protocol(
    suffix="when",
    comment="Protocol 3, for the phrases of the answer: when does grounding emerge?",
    asks="referring",
    prompt="tasks.emergence.when_prompt",
    target=_EXPRESSION,
    score="tasks.emergence.score_when",
    metrics=(
        Metric("oracle_miou", _MEAN),
        Metric("chance_miou", _MEAN, higher_is_better=False),
        Metric("exact_phrase_rate", _MEAN),
        Metric("median_location", "tasks.aggregations.median", higher_is_better=False),
    ),
    max_new_tokens=256,
    record="when",
)
_EVIDENCE = Protocol(
    suffix="vqa_evidence",
    comment="Protocol 2, three times: the image as it is, and with the target region or another one painted out.",
    asks="choice",
    prompt="tasks.choice.choice_prompt",
    target=_ANSWER,
    score="tasks.evidence.score_evidence",
    metrics=(
        Metric("score", "tasks.evidence.evidence_score"),
        Metric("flip_evidence", "tasks.evidence.flip_evidence"),
        Metric("flip_control", "tasks.evidence.flip_control", higher_is_better=False),
        Metric("accuracy", _MEAN),
    ),
    max_new_tokens=64,
    documents="prompts.evidence.ablations",
    image="tasks.evidence.image",
)


def _varied(protocol: Protocol, suffix: str, what: str, documents: str, score: str, metrics: str) -> list[Protocol]:
    """A protocol in ten variations of each type, and in two."""
    full = replace(
        protocol,
        suffix=suffix,
        comment=f"{protocol.comment[:-1]}, {what}: every document as it is, then in all its variations.",
        prompt=f"tasks.sensitivity.{protocol.prompt.rpartition('.')[2]}",
        score=f"tasks.sensitivity.{score}",
        metrics=f"tasks.sensitivity.{metrics}",
        record="",
        documents=f"prompts.variants.{documents}_10",
        image="tasks.sensitivity.image",
        variations=10,
        tag="pixfoundation_sensitivity",
    )
    lite = replace(full, suffix=f"{suffix}_lite", documents=f"prompts.variants.{documents}_2", variations=2)
    return [full, lite]


PROTOCOLS = (
    _CHOICE,
    _OPEN,
    _REFERRING,
    _WHEN,
    _EVIDENCE,
    *_varied(_CHOICE, "vqa_lang", "in varied words", "choice_language", "score_choice", "CHOICE_METRICS"),
    *_varied(_REFERRING, "ground_lang", "in varied words", "referring_language", "score_wording", "WORDING_METRICS"),
    *_varied(_REFERRING, "ground_visual", "on varied images", "referring_visual", "score_picture", "PICTURE_METRICS"),
)
PROTOCOL_OF_SUFFIX = {protocol.suffix: protocol for protocol in PROTOCOLS}
GROUPS = ("", "_paper")  # ends of the groups' names


def metrics_of(protocol: Protocol, benchmark: Benchmark) -> tuple[Metric, ...]:
    """The metrics of a protocol on a benchmark; none for protocols with variations."""
    if isinstance(protocol.metrics, str):
        return ()
    kept = [metric for metric in protocol.metrics if benchmark.has_sources or not metric.is_of_sources]
    if benchmark.is_paired:
        return tuple(kept)
    kept = [metric for metric in kept if not metric.is_of_pairs]
    return tuple(metric._replace(aggregation=_MEAN) if metric.aggregation == _PAIRS else metric for metric in kept)


def find_task(name: str) -> Task | None:
    """The task of this name; None if it is none of ours."""
    for benchmark in benchmark_names():
        for protocol in PROTOCOLS:
            if name == f"{benchmark}_{protocol.suffix}":
                return Task(benchmark, protocol)
    return None


def own_names(benchmark: str) -> list[str]:
    """The names of a benchmark's groups and tasks."""
    return [f"{benchmark}{group}" for group in GROUPS] + [f"{benchmark}_{protocol.suffix}" for protocol in PROTOCOLS]


def is_own_name(name: str) -> bool:
    """Whether a name is that of one of our tasks or groups."""
    return any(name in own_names(benchmark) for benchmark in benchmark_names())


def protocol_of(task: str) -> Protocol | None:
    """The protocol of a task of ours, or of another package's task whose name ends as one of ours; else None."""
    if found := find_task(task):
        return found.protocol
    ends = (protocol for protocol in PROTOCOLS if task.endswith(f"_{protocol.suffix}"))
    return max(ends, key=lambda protocol: len(protocol.suffix), default=None)
