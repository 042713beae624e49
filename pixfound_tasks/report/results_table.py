"""Prints the results of one evaluation as lmms-eval aggregated them, as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from pixfound_tasks.report.console import make_console, make_table
from pixfound_tasks.report.formats import NOT_MEASURED, one_line
from pixfound_tasks.report.narrow_tables import print_table
from pixfound_tasks.report.next_steps import after_evaluation, print_steps


def print_results(results: Mapping[str, Any], output_path: str | None) -> None:
    """Prints one row per task and metric, and what to do next.

    Args:
        results: what lmms-eval's `simple_evaluate` returns.
        output_path: the folder that the samples were written to, if they were.
    """
    console = make_console()
    table = make_table("task", "metric", "value", "images", named=2)
    for row in _rows(results):
        table.add_row(*map(Text, row))
    print_table(console, table)
    print_steps(console, after_evaluation(output_path))


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    groups = results.get("groups") or {}
    for task in [*groups, *(task for task in results["results"] if task not in groups)]:
        counts = results["n-samples"].get(task, {})
        name, images = one_line(task), str(counts.get("effective", ""))
        if counts.get("effective") != counts.get("original"):
            images += f" of {counts['original']}"
        for key, value in results["results"][task].items():
            metric, _, kind = key.partition(",")
            if not kind or "_stderr" in metric or isinstance(value, (str, list)):
                continue
            yield name, one_line(metric), f"{value:.4f}" if value == value else NOT_MEASURED, images
            name = images = ""
