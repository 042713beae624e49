"""Reading a run: what lmms-eval wrote to its `--output_path` with `--log_samples`, joined by image."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pixfound_tasks import response
from pixfound_tasks.benchmarks import DOCUMENT_COUNTS
from pixfound_tasks.masks import InvalidMask, Rle, Size, read_mask
from pixfound_tasks.response import Response

# How tasks' names end, and the field of a record that holds what they ask.
PROTOCOLS = {"vqa": "vqa", "vqa_open": "open", "ground": "ground"}
_SAMPLES_FILE = re.compile(r"(?P<date>.+?)_samples_(?P<task>.+)\.jsonl")


class RunError(ValueError):
    """A folder that is no run of ours, or a file in it that cannot be read."""


@dataclass(frozen=True)
class Document:
    """One image's question, referring expression and true mask; `expression` is None where no object is asked about.

    `pair` counts pairs from 0; `width` and `height` are in pixels.
    """

    benchmark: str
    id: str
    pair: int | None
    question: str
    options: tuple[str, ...]
    options_text: str
    answer: str
    pattern: str
    task: str
    source: str
    expression: str | None
    mask: Rle
    width: int
    height: int
    origin: str

    @property
    def size(self) -> Size:
        return self.height, self.width


@dataclass(frozen=True)
class Answer:
    """What a model answered to one prompt, and the metrics of that answer as lmms-eval logged them."""

    prompt: str
    response: Response
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One image of a run; an answer is None where that protocol was not run on it, or could not be scored."""

    document: Document
    vqa: Answer | None = None
    ground: Answer | None = None
    open: Answer | None = None


@dataclass(frozen=True)
class Run:
    """One model on one benchmark: its records in order of their ids, and what lmms-eval says of the run.

    `folder` is the one that was read.
    """

    model: str
    benchmark: str
    records: tuple[Record, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def tasks(self) -> set[str]:
        """The protocols that were run."""
        return {name for name in PROTOCOLS.values() if any(getattr(record, name) for record in self.records)}


def read_runs(*folders: Path) -> list[Run]:
    """Every model and benchmark in the folders of one or several runs; of each task the newest samples.

    Runs of one model on one benchmark in different folders become one where they share no task, such as answers in
    the first and groundings in the second; else they stay apart and have their folder in their name. Raises `RunError`
    where a folder has no run, saying why.
    """
    found: list[Run] = []
    for folder in dict.fromkeys(folders):
        for run in _read_folder(folder):
            others = [other for other in found if (other.model, other.benchmark) == (run.model, run.benchmark)]
            mate = next((other for other in others if not other.tasks & run.tasks), None)
            if mate is not None:
                found[found.index(mate)] = _joined(mate, run)
            else:
                found.append(run)
    return _told_apart(found)


def _joined(first: Run, second: Run) -> Run:
    """One run of two that share no task; settings are the first one's, arguments those of both."""
    parts = {record.document.id: record for record in first.records}
    for record in second.records:
        answers = {name: answer for name in PROTOCOLS.values() if (answer := getattr(record, name))}
        parts[record.document.id] = replace(parts.get(record.document.id, record), **answers)
    arguments = dict.fromkeys(str(run.settings.get("model_args")) for run in (first, second))
    return replace(
        first,
        records=tuple(sorted(parts.values(), key=lambda record: _in_order(record.document.id))),
        settings={**first.settings, "model_args": " | ".join(arguments)},
    )


def _told_apart(runs: list[Run]) -> list[Run]:
    """The runs, those of the same model on the same benchmark with their folders behind the model's name."""
    counts = Counter((run.model, run.benchmark) for run in runs)
    return [
        replace(run, model=f"{run.model} ({run.folder})") if counts[run.model, run.benchmark] > 1 else run
        for run in runs
    ]


def _read_folder(folder: Path) -> list[Run]:
    """The runs of one folder, in order of their names."""
    if not folder.is_dir():
        raise RunError(
            f"expected a folder that lmms-eval wrote with --output_path, but {folder} "
            f"{'is a file' if folder.exists() else 'does not exist'}; check the path."
        )
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    for file, task in _newest_samples(folder).items():
        benchmark, protocol = task
        found.setdefault((file.parent, benchmark), {})[protocol] = file
    if not found:
        raise RunError(_nothing_found(folder))
    return [_read_run(folder, place, benchmark, files) for (place, benchmark), files in sorted(found.items())]


def _newest_samples(folder: Path) -> dict[Path, tuple[str, str]]:
    """The newest file of samples for each model and task of ours, with its benchmark and protocol."""
    newest: dict[tuple[Path, str, str], Path] = {}
    # Names begin with the date, so that later files overwrite earlier ones.
    for file in sorted([*folder.glob("*_samples_*.jsonl"), *folder.glob("*/*_samples_*.jsonl")]):
        benchmark, _, protocol = _SAMPLES_FILE.fullmatch(file.name)["task"].partition("_")
        if benchmark in DOCUMENT_COUNTS and protocol in PROTOCOLS:
            newest[file.parent, benchmark, protocol] = file
    return {file: (benchmark, protocol) for (_, benchmark, protocol), file in newest.items()}


def _nothing_found(folder: Path) -> str:
    samples = [file.name for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}_samples_*.jsonl")]
    results = [file.name for pattern in ("*", "*/*") for file in folder.glob(f"{pattern}_results.json")]
    if samples:
        came = f"samples of other tasks only ({', '.join(sorted(samples)[:3])})"
        ours = (f"{benchmark}_{protocol}" for benchmark in DOCUMENT_COUNTS for protocol in PROTOCOLS)
        todo = f"run one of the tasks {', '.join(ours)}"
    elif results:
        came = f"results without samples ({', '.join(sorted(results)[:3])})"
        todo = "run lmms-eval again with --log_samples"
    else:
        came = "neither samples nor results"
        todo = "give the folder that was lmms-eval's --output_path, in a run with --log_samples"
    return f"expected samples of a benchmark of ours in {folder}, but found {came}; {todo}."


def _read_run(folder: Path, place: Path, benchmark: str, files: dict[str, Path]) -> Run:
    answers: dict[str, dict[str, Any]] = {}
    for protocol, file in files.items():
        for document, answer in _read_samples(file, benchmark):
            parts = answers.setdefault(document.id, {"document": document})
            if _is_scored(answer):
                parts[PROTOCOLS[protocol]] = answer
    records = sorted((Record(**parts) for parts in answers.values()), key=lambda record: _in_order(record.document.id))
    settings = _read_settings(max(files.values(), key=lambda file: file.name))
    return Run(_model_name(settings, place), benchmark, tuple(records), settings, folder)


def _is_scored(answer: Answer) -> bool:
    """Not where there was no segmenter for its boxes or points, which was logged as NaN."""
    iou = answer.metrics.get("miou")
    return not (isinstance(iou, float) and math.isnan(iou))


def _model_name(settings: Mapping[str, Any], place: Path) -> str:
    """The model as lmms-eval has it; for replayed predictions their `name=`; else the folder's name."""
    replayed = re.search(r"(?:^|,)name=([^,]+)", str(settings.get("model_args") or ""))
    if settings.get("model") == "pixfound_replay" and replayed:
        return replayed[1]
    return str(settings.get("model_name") or place.name)


def _in_order(id: str) -> tuple[int, str]:
    return (int(id), id) if id.isdecimal() else (0, id)


def _read_settings(samples: Path) -> dict[str, Any]:
    """What the results file beside a file of samples says of the run; empty where there is none."""
    date = _SAMPLES_FILE.fullmatch(samples.name)["date"]
    file = samples.with_name(f"{date}_results.json")
    if not file.exists():
        return {"date": date}
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"expected JSON in {file}, but got {error}; run lmms-eval again.") from error
    config = results.get("config") or {}
    return {
        "model_name": results.get("model_name"),
        "model": config.get("model"),
        "model_args": config.get("model_args"),
        "limit": config.get("limit"),
        "lmms_eval_version": results.get("lmms_eval_version"),
        "date": date,
    }


def _read_samples(file: Path, benchmark: str) -> Iterator[tuple[Document, Answer]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                sample = json.loads(line)
                document = _read_document(sample["pixfound"])
            except (ValueError, KeyError, TypeError, InvalidMask) as error:
                raise RunError(
                    f"expected a sample that a task of pixfound-tasks logged in {file}, line {number}, but got "
                    f"{type(error).__name__}: {error}; run lmms-eval again with --log_samples."
                ) from error
            if document.benchmark != benchmark:
                raise RunError(
                    f"expected samples of {benchmark}, but {file}, line {number}, is of {document.benchmark}."
                )
            answer = response.from_text(_response_text(sample), document.size)
            yield document, Answer(str(sample.get("input", "")), answer, sample)


def _read_document(fields: dict[str, Any]) -> Document:
    size = (int(fields["height"]), int(fields["width"]))
    pair = fields.get("pair")
    return Document(
        benchmark=str(fields["benchmark"]),
        id=str(fields["id"]),
        pair=None if pair is None else int(pair),
        question=str(fields["question"]),
        options=tuple(map(str, fields.get("options") or ())),
        options_text=str(fields.get("options_text") or ""),
        answer=str(fields["answer"]),
        pattern=str(fields.get("pattern") or ""),
        task=str(fields.get("task") or ""),
        source=str(fields.get("source") or ""),
        expression=None if fields.get("expression") is None else str(fields["expression"]),
        mask=read_mask(fields["mask"], size),
        width=size[1],
        height=size[0],
        origin=str(fields.get("origin") or ""),
    )


def _response_text(sample: dict[str, Any]) -> str:
    """The answer as it was scored, which lmms-eval keeps as a string or as a list of one.

    Where words were turned into masks at scoring, that response is under `grounded`.
    """
    if isinstance(sample.get("grounded"), str):
        return sample["grounded"]
    text = sample.get("filtered_resps", sample.get("resps", ""))
    while isinstance(text, list):
        text = text[0] if text else ""
    return str(text)
