"""A run: the samples that lmms-eval wrote to `--output_path` with `--log_samples`, joined by image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pixfound_tasks import notebook
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.hosts.incompatibilities import failure_hint
from pixfound_tasks.protocols import PROTOCOL_OF_SUFFIX, PROTOCOLS, find_task
from pixfound_tasks.runs.check.results import model_name
from pixfound_tasks.runs.metrics import Metrics, read_metrics
from pixfound_tasks.runs.progress import Track, untracked
from pixfound_tasks.runs.samples import (
    Answer,
    Document,
    RepeatedSample,
    RunError,
    read_answers,
    read_repeated,
    read_settings,
    sample_files,
)

__all__ = ["RECORDED", "Answer", "Document", "Record", "RepeatedSample", "Run", "RunError", "read_runs"]

# Suffixes of the tasks that prompt once per document -> the field of a record that holds their answers.
RECORDED = {protocol.suffix: protocol.record for protocol in PROTOCOLS if protocol.record}
_NOTHING_WRITTEN = "If an evaluation fails, lmms-eval writes nothing: read its log, and run `pixfound doctor`"


@dataclass(frozen=True)
class Record:
    """One image of a run. An answer is None if that protocol was not run on the image or could not be scored."""

    document: Document
    vqa: Answer | None = None
    ground: Answer | None = None
    open: Answer | None = None
    when: Answer | None = None

    @cached_property
    def grounding(self) -> GroundedImage | None:
        """The masks of the `..._ground` task, compared with the ground truth; None without an answer."""
        return self._grounded(self.ground) if self.ground else None

    @cached_property
    def when_grounding(self) -> GroundedImage | None:
        """The same of the `..._when` task or, without one, of the `..._ground` task."""
        return self._grounded(self.when) if self.when else self.grounding

    def _grounded(self, answer: Answer) -> GroundedImage:
        document = self.document
        return GroundedImage(document.id, answer.response, document.mask, document.expression)


@dataclass(frozen=True)
class Run:
    """One model on one benchmark: its records, sorted by id, and the settings that lmms-eval recorded.

    `repeated` has the samples of the tasks that prompt several times per document, by the suffix of the task's name.
    `faults` has the faults of every answer, by the same; see `analysis.faults`. `folder` is the folder that was read.
    """

    model: str
    benchmark: str
    records: tuple[Record, ...] = ()
    repeated: Mapping[str, tuple[RepeatedSample, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    folder: Path = Path()
    faults: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @property
    def tasks(self) -> set[str]:
        """The tasks that were run: field names of records, and suffixes of repeated tasks."""
        return {name for name in RECORDED.values() if any(getattr(record, name) for record in self.records)} | {
            *self.repeated
        }

    def _repr_html_(self) -> str:
        """Shows what was run and the metrics that lmms-eval aggregated, in a notebook."""
        title = f"{self.model} on {self.benchmark}: {len(self.records)} images, {', '.join(sorted(self.tasks))}"
        rows = [
            (task, name, notebook.number(value))
            for task, values in self.metrics.items()
            for name, value in values.items()
        ]
        return notebook.table(title, ("task", "metric", "value"), rows)


def read_runs(*folders: Path, join: bool = False, track: Track = untracked) -> list[Run]:
    """Reads every model and benchmark in one or more folders. The newest samples of each task are used.

    Runs of the same model on the same benchmark in different folders are merged if they share no task, for example
    answers in one folder and groundings in another. Otherwise they stay separate, and each model name gets its folder.
    With `join`, runs of different models are merged too, so that one model's answers are crossed with another model's
    groundings. A run whose responses have masks of two kinds becomes two, see `separated`. Raises `RunError`, with the
    reason, if a folder has no run.
    """
    from pixfound_tasks.runs.separated import separated  # it needs the classes of this file

    found: list[Run] = []
    for folder in dict.fromkeys(folders):
        for run in _read_folder(folder, track):
            mates = (other for other in found if other.benchmark == run.benchmark and not other.tasks & run.tasks)
            mate = next((other for other in mates if join or other.model == run.model), None)
            if mate is None:
                found.append(run)
            else:
                found[found.index(mate)] = _joined(mate, run)
    return [part for run in _disambiguated(found) for part in separated(run)]


def _joined(first: Run, second: Run) -> Run:
    """Merges two runs that share no task. Settings come from the first run; names and arguments from both."""
    parts = {record.document.id: record for record in first.records}
    for record in second.records:
        answers = {name: answer for name in RECORDED.values() if (answer := getattr(record, name))}
        parts[record.document.id] = replace(parts.get(record.document.id, record), **answers)
    arguments = dict.fromkeys(str(run.settings.get("model_args")) for run in (first, second))
    limits = [run.settings.get("limit") for run in (first, second)]
    return replace(
        first,
        model=" + ".join(dict.fromkeys((first.model, second.model))),
        records=_in_order(parts.values()),
        repeated={**first.repeated, **second.repeated},
        metrics={**first.metrics, **second.metrics},
        faults={**first.faults, **second.faults},
        settings={
            **first.settings, "model_args": " | ".join(arguments), "limit": next(filter(None, limits), None)
        },
    )  # fmt: skip


def _disambiguated(runs: list[Run]) -> list[Run]:
    """Appends what distinguishes the folder to the model's name if several runs have the same model and benchmark."""
    counts = Counter((run.model, run.benchmark) for run in runs)
    is_shared = [counts[run.model, run.benchmark] > 1 for run in runs]
    ends = _distinct_ends(run.folder for run, shared in zip(runs, is_shared) if shared)
    return [
        replace(run, model=f"{run.model} ({ends[run.folder]})") if shared else run
        for run, shared in zip(runs, is_shared)
    ]


def _distinct_ends(folders: Iterable[Path]) -> dict[Path, str]:
    """The shortest ends of the folders' paths, all of the same number of parts, that are different."""
    parts = {folder: folder.resolve().parts for folder in folders}
    for length in range(1, max(map(len, parts.values()), default=0) + 1):
        ends = {folder: "/".join(each[-length:]) for folder, each in parts.items()}
        if len(set(ends.values())) == len(set(parts.values())):
            break
    else:
        return {}
    return ends


def _read_folder(folder: Path, track: Track) -> list[Run]:
    """Reads the runs of one folder, sorted by name."""
    if not folder.is_dir():
        raise RunError(
            f"expected a folder that lmms-eval wrote with --output_path, but {folder} "
            f"{'is a file' if folder.exists() else 'does not exist'}; check the path. "
            f"{_NOTHING_WRITTEN}{failure_hint()}"
        )
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    for file, task in sample_files(folder):
        if ours := find_task(task):
            found.setdefault((file.parent, ours.benchmark), {})[ours.protocol.suffix] = file  # later files are newer
    if not found:
        raise RunError(_nothing_found(folder))
    return [_read_run(folder, place, benchmark, files, track) for (place, benchmark), files in sorted(found.items())]


def _nothing_found(folder: Path) -> str:
    samples = [file.name for file, _ in sample_files(folder)]
    results = [file.name for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}_results.json")]
    if samples:
        came = f"samples of other tasks only ({', '.join(sorted(samples)[:3])})"
        ours = (f"{benchmark}_{protocol}" for benchmark in benchmark_names() for protocol in RECORDED)
        todo = f"run one of the tasks {', '.join(ours)}"
    elif results:
        came = f"results without samples ({', '.join(sorted(results)[:3])})"
        todo = "run lmms-eval again with --log_samples"
    elif inside := [each.name for each in sorted(folder.iterdir()) if each.is_dir() and any(sample_files(each))]:
        came = f"folders with samples ({', '.join(inside[:3])})"
        todo = f"give the folder of one or more runs, such as {folder / inside[0]}"
    else:
        came = "neither samples nor results"
        todo = "give the folder that was lmms-eval's --output_path in a run with --log_samples"
        todo += f". {_NOTHING_WRITTEN}{failure_hint()}"
    return f"expected samples of a benchmark of this package in {folder}, but found {came}; {todo}"


def _read_run(folder: Path, place: Path, benchmark: str, files: dict[str, Path], track: Track) -> Run:
    answers: dict[str, dict[str, Any]] = {}
    faults: dict[str, list[tuple[str, ...]]] = {}
    count = get_benchmark(benchmark).document_count
    for end in RECORDED.keys() & files.keys():
        samples = read_answers(files[end], benchmark)
        for document, answer in track(samples, f"reading {benchmark}_{end}", count):
            parts = answers.setdefault(document.id, {"document": document})
            faults.setdefault(end, []).append(answer.faults)
            if _is_scored(answer):
                parts[RECORDED[end]] = answer
    repeated = {
        end: tuple(track(read_repeated(files[end], benchmark, protocol.variations > 0), f"reading {benchmark}_{end}"))
        for end, protocol in PROTOCOL_OF_SUFFIX.items()
        if end in files and protocol.is_repeated
    }
    settings = read_settings(max(files.values(), key=lambda file: file.name))
    records = _in_order(Record(**parts) for parts in answers.values())
    metrics = read_metrics(place, benchmark)
    faults |= {end: [sample.faults for sample in found] for end, found in repeated.items()}
    listed = {end: tuple(found) for end, found in faults.items()}
    return Run(model_name(settings, place.name), benchmark, records, repeated, settings, metrics, folder, listed)


def _is_scored(answer: Answer) -> bool:
    """Returns False if the request failed, or if boxes or points had no segmenter; tasks log that as NaN."""
    values = (answer.metrics.get(name) for name in ("accuracy", "miou", "oracle_miou"))
    return not any(isinstance(value, float) and math.isnan(value) for value in values)


def _in_order(records: Iterable[Record]) -> tuple[Record, ...]:
    def place(record: Record) -> tuple[int, str]:
        id = record.document.id
        # `int` raises an error on thousands of digits.
        return (int(id), id) if id.isdecimal() and len(id) < 20 else (0, id)

    return tuple(sorted(records, key=place))
