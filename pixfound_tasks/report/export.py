"""Writes the files next to the page: the scores as JSON and CSV, and the plots as SVG and PNG.

| file | content |
|---|---|
| `report.json` | all scores; see `report_json.as_json` |
| `scores.csv` | one row per model and benchmark, with intervals |
| `parts.csv` | one row per visual pattern, source and task |
| `metrics.csv` | one row per metric of every task, as lmms-eval aggregated it |
| `samples.csv` | one row per image: answers, IoU, outcome, best phrase |
| `variations.csv` | one row per variation of a document: prompt and answer, before and after; if such tasks were run |
| `scores.svg`, `.png` | answering against grounding, of all models |
| `BENCHMARK_MODEL_PLOT.svg`, `.png` | the plots |
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.files import replacing
from pixfound_tasks.report.overview import score_map
from pixfound_tasks.report.plots import Plot, png, svg
from pixfound_tasks.report.report_json import as_json
from pixfound_tasks.runs.changes import changes
from pixfound_tasks.runs.run import Run
from pixfound_tasks.runs.scores import iou, is_correct
from pixfound_tasks.runs.summary import Summary

_SCORES = (
    "open_answering", "open_accuracy", "answering", "accuracy", "open_grounding", "grounding", "oracle_miou",
    "chance_miou", "score",
)  # fmt: skip
# Includes the fullwidth forms, which Japanese and Chinese spreadsheets treat like the ASCII characters.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_files(
    runs: Sequence[Run], summaries: Sequence[Summary], drawn: Sequence[Sequence[Plot]], folder: Path
) -> None:
    """Writes all files, given one summary and one list of plots per run. Existing files are replaced."""
    write(folder / "report.json", json.dumps(as_json(summaries), indent=2, allow_nan=False).encode())
    _write_table(folder / "scores.csv", map(_score_row, summaries))
    _write_table(folder / "parts.csv", chain.from_iterable(map(_part_rows, summaries)))
    _write_table(folder / "metrics.csv", chain.from_iterable(map(_metric_rows, summaries)))
    _write_table(
        folder / "samples.csv",
        chain.from_iterable(_sample_rows(run, summary) for run, summary in zip(runs, summaries)),
    )
    if any(run.repeated for run in runs):
        _write_table(folder / "variations.csv", chain.from_iterable(map(_variation_rows, runs)))
    overall = score_map(summaries)
    named = [(overall.name, overall)] if overall else []
    named += [(f"{stem}_{plot.name}", plot) for stem, plots in zip(_stems(summaries), drawn) for plot in plots]
    for name, plot in named:
        write(folder / f"{name}.svg", svg(plot.figure))
        write(folder / f"{name}.png", png(plot.figure))


def write(path: Path, content: bytes) -> None:
    """Writes a file atomically, so that readers never see part of it. A symbolic link is replaced, not followed."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def _stems(summaries: Sequence[Summary]) -> list[str]:
    """Returns a file name prefix per summary. Duplicate prefixes get a number."""
    found: list[str] = []
    for summary in summaries:
        stem = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{summary.benchmark}-{summary.model}")[:80].strip("-.")
        found.append(stem if stem not in found else f"{stem}-{len(found)}")
    return found


def _metric_rows(summary: Summary) -> Iterator[dict[str, Any]]:
    for task, values in summary.metrics.items():
        for name, value in values.items():
            yield {
                "model": summary.model, "benchmark": summary.benchmark, "task": task, "metric": name, "value": value
            }  # fmt: skip


def _score_row(summary: Summary) -> dict[str, Any]:
    row = {name: getattr(summary, name) for name in ("model", "benchmark", "documents", "known_documents", "partial")}
    for name in _SCORES:
        row |= {name: getattr(summary, name), **_ends(name, summary.intervals.get(name))}
    row |= {name: getattr(summary, name) for name in ("unparsed_vqa", "unparsed_ground", "unjudged")}
    for asked, by_rule in summary.failures.items():
        for rule, found in by_rule.items():
            row |= {f"{name}_{asked}_{rule}": count for name, count in found.counts.items()}
    return row


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    return {f"{name}_{end}": getattr(interval, end, None) for end in ("low", "high")}


def _part_rows(summary: Summary) -> Iterator[dict[str, Any]]:
    for part in summary.patterns:
        row = {"model": summary.model, "benchmark": summary.benchmark, "partial": summary.partial}
        row |= {name: getattr(part, name) for name in ("kind", "name", "images", "pair_accuracy")}
        for name, interval in part.intervals.items():
            row |= {name: getattr(part, name), **_ends(name, interval)}
        for asked, by_rule in part.outcomes.items():
            for rule, found in by_rule.items():
                row |= {f"{name}_{asked}_{rule}": count for name, count in found.counts.items()}
        yield row


def _sample_rows(run: Run, summary: Summary) -> Iterator[dict[str, Any]]:
    outcomes = {
        f"outcome_{asked}_{rule}": found.by_image
        for asked, by_rule in summary.failures.items()
        for rule, found in by_rule.items()
    }
    best = {record.image: record for record in (summary.when.records if summary.when else ())}
    for record in run.records:
        document, found = record.document, best.get(record.document.id)
        row = {"model": run.model, "benchmark": run.benchmark, "partial": summary.partial}
        row |= {name: getattr(document, name) for name in ("id", "pair", "pattern", "source", "task", "expression")}
        row |= {
            "answer": record.vqa and record.vqa.response.text,
            "right": record.vqa and is_correct(record),
            "open_right": record.open and is_correct(record, "open"),
            "iou": record.ground and document.expression is not None and iou(record),
            **{name: of[document.id] for name, of in outcomes.items() if document.id in of},
        }
        names = ("oracle_iou", "chance_iou", "phrase", "match", "concept", "token_location", "char_location")
        yield row | {name: getattr(found, name, None) for name in names}


def _variation_rows(run: Run) -> Iterator[dict[str, Any]]:
    for change in changes(run):
        before, after = change.values
        yield {
            "model": run.model, "benchmark": run.benchmark, "task": change.task, "id": change.after.id,
            "type": change.type, "variation": change.variation, "flipped": change.is_flip, "value_before": before,
            "value_after": after, "prompt_before": change.before.prompt, "prompt_after": change.after.prompt,
            "answer_before": change.before.text, "answer_after": change.after.text,
        }  # fmt: skip


def _write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes a CSV file with one column per name that any row has. None and NaN are left empty."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    write(path, file.getvalue().encode("utf-8", "replace"))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        return value
    value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")  # csv of Python 3.10 refuses it, and so do spreadsheets
    # Spreadsheets must not evaluate a model's text as a formula.
    return f"'{value}" if value.startswith(_FORMULA) else value
