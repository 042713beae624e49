"""The task YAMLs of a benchmark, written from the table of protocols.

`python -m pixfound_tasks.task_files NAME FOLDER` writes those of one benchmark, for instance of another package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.protocols import PROTOCOLS, Protocol, metrics_of

_GENERATED = "# Written by pixfound_tasks.task_files: change pixfound_tasks/protocols.py, not this file."
GROUP_MEMBERS = {
    "": (("vqa", "ground"), "harmonic_mean"),
    "_paper": (("vqa_open", "vqa", "ground"), "score_of_maxima"),
}


def task_files(benchmark: Benchmark) -> dict[str, str]:
    """The content of every task YAML of a benchmark by its file name."""
    tasks = {f"{benchmark.name}_{protocol.suffix}": _task(benchmark, protocol) for protocol in PROTOCOLS}
    groups = {f"{benchmark.name}{end}": _group(benchmark.name, end) for end in GROUP_MEMBERS}
    return {f"{name}.yaml": text for name, text in (tasks | groups).items()}


def write_task_files(benchmark: Benchmark, folder: Path) -> list[Path]:
    """Write the task YAMLs of a benchmark into a folder, which is made if there is none; other files are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in task_files(benchmark).items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def _task(benchmark: Benchmark, protocol: Protocol) -> str:
    return "\n".join(_task_lines(benchmark, protocol)) + "\n"


def _task_lines(benchmark: Benchmark, protocol: Protocol) -> Iterator[str]:
    yield from (f"# {protocol.comment}", _GENERATED)
    yield f"task: {benchmark.name}_{protocol.suffix}"
    yield f"tag: {protocol.tag}"
    yield f"dataset_path: {_function(f'benchmarks.{benchmark.name.upper()}')}"
    yield from ("dataset_kwargs:", "  load_from_disk: true", "test_split: test", "output_type: generate_until")
    if protocol.documents:
        yield f"process_docs: {_function(protocol.documents)}"
    yield f"doc_to_visual: {_function(protocol.image)}"
    yield f"doc_to_text: {_function(protocol.prompt)}"
    yield f"doc_to_target: {_function(protocol.target)}"
    yield f"process_results: {_function(protocol.score)}"
    yield "# How each --model is prompted, in what coordinates it answers, and whether it may fail to."
    yield f"lmms_eval_specific_kwargs: {_function('tasks.model_profiles.BY_MODEL')}"
    yield "reasoning_tags: none  # the scoring functions leave out the thinking themselves, in more forms"
    yield "generation_kwargs:"
    yield from (f"  max_new_tokens: {protocol.max_new_tokens}", "  do_sample: false", "  until: []")
    yield from _metric_lines(benchmark, protocol)
    yield from ("metadata:", "  version: 1.0", f"  versions: {_function('tasks.versions.VERSIONS')}")
    if protocol.variations:
        yield f"  variations: {protocol.variations}"
    if protocol.asks == "open":
        yield f"  judge: {_function('tasks.grading.NAME')}"


def _metric_lines(benchmark: Benchmark, protocol: Protocol) -> Iterator[str]:
    if isinstance(protocol.metrics, str):
        yield f"metric_list: {_function(protocol.metrics)}"
        return
    yield "metric_list:"
    for metric in metrics_of(protocol, benchmark):
        yield f"  - metric: {metric.name}"
        yield f"    aggregation: {_function(metric.aggregation)}"
        yield f"    higher_is_better: {str(metric.higher_is_better).lower()}"


def _group(name: str, end: str) -> str:
    suffixes, aggregation = GROUP_MEMBERS[end]
    lines = [
        _GENERATED, f"group: {name}{end}", "task:", *(f"  - {name}_{suffix}" for suffix in suffixes),
        "aggregate_metric_list:", "  - metric: score",
        f"    aggregation: {_function(f'tasks.aggregations.{aggregation}')}", "    weight_by_size: false",
        "metadata:", "  version: 1.0",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _function(place: str) -> str:
    return f"!function pixfound_tasks.{place}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(
            "expected the name of a benchmark and a folder: python -m pixfound_tasks.task_files NAME FOLDER"
        )
    try:
        named = get_benchmark(sys.argv[1])
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from error
    for path in write_task_files(named, Path(sys.argv[2])):
        print(path)
