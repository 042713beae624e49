r"""The scores of runs as a table for a paper: LaTeX with booktabs, Markdown or CSV.

The values are those of `report.json`, in percent with one decimal, with 95 % intervals. The highest value of each
benchmark is bold in LaTeX and Markdown. LaTeX needs `\usepackage{booktabs}`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.formats import NOT_MEASURED, SCORE_FIELDS, is_measured, one_line, percent
from pixfound_tasks.runs.summary import Summary

_UNRANKED = ("chance_miou",)
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "\N{DAGGER}": r"$^\dagger$", "\N{EN DASH}": "--",
}  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
_LONGEST = 100  # characters of a model's name


def paper_table(summaries: Sequence[Summary], style: str) -> str:
    """Returns the scores of all runs as one table, in one of `STYLES`."""
    return STYLES[style](summaries, _columns(summaries))


def _columns(summaries: Sequence[Summary]) -> dict[str, str]:
    return {
        heading: field
        for heading, field in SCORE_FIELDS.items()
        if any(is_measured(getattr(each, field)) for each in summaries)
    }


def _is_best(each: Summary, field: str, summaries: Sequence[Summary]) -> bool:
    """Whether a value is the highest of several of its benchmark, as shown. Partial runs are not ranked."""
    if field in _UNRANKED or each.partial:
        return False
    rivals = [s for s in summaries if s.benchmark == each.benchmark and not s.partial]
    values = [getattr(rival, field) for rival in rivals if is_measured(getattr(rival, field))]
    return len(values) > 1 and percent(getattr(each, field)) == percent(max(values))


def _interval(interval: Interval | None) -> str:
    if interval is None or not is_measured(interval.low):
        return ""
    return f"{percent(interval.low)}, {percent(interval.high)}"


def _name(each: Summary) -> str:
    partial = f" (partial, {each.documents} of {each.known_documents})" if each.partial else ""
    return one_line(each.model, _LONGEST) + partial


def _latex(summaries: Sequence[Summary], columns: dict[str, str]) -> str:
    r"""A `tabular` with booktabs; intervals are in brackets below the values."""
    lines = [r"\begin{tabular}{ll" + "r" * len(columns) + "}", r"\toprule"]
    lines += [" & ".join(map(_as_latex, ("Model", "Benchmark", *columns))) + r" \\", r"\midrule"]
    for each in summaries:
        values = [_as_latex(percent(getattr(each, field))) for field in columns.values()]
        values = [
            rf"\textbf{{{value}}}" if _is_best(each, field, summaries) else value
            for value, field in zip(values, columns.values())
        ]
        lines.append(" & ".join([_as_latex(_name(each)), each.benchmark, *values]) + r" \\")
        intervals = [_interval(each.intervals.get(field)) for field in columns.values()]
        if any(intervals):
            cells = [rf"{{\scriptsize [{found}]}}" if found else "" for found in intervals]
            lines.append(" & ".join([" ", "", *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _markdown(summaries: Sequence[Summary], columns: dict[str, str]) -> str:
    lines = [f"| Model | Benchmark | {' | '.join(columns)} |", "|---|---|" + "---:|" * len(columns)]
    for each in summaries:
        cells = []
        for field in columns.values():
            value, found = percent(getattr(each, field)), _interval(each.intervals.get(field))
            value = f"**{value}**" if _is_best(each, field, summaries) else value
            cells.append(f"{value} ({found})" if found else value)
        name = _MARKDOWN.sub(r"\\\1", _name(each))
        lines.append(f"| {name} | {each.benchmark} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _csv(summaries: Sequence[Summary], columns: dict[str, str]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    named = [name for heading in columns for name in (heading, f"{heading} low", f"{heading} high")]
    writer.writerow(["model", "benchmark", "documents", *named])
    for each in summaries:
        row: list[str] = []
        for field in columns.values():
            found = each.intervals.get(field)
            ends = [percent(end) if found else NOT_MEASURED for end in (found.low, found.high)] if found else ["", ""]
            row += [percent(getattr(each, field)), *ends]
        model = one_line(each.model, _LONGEST)
        model = f"'{model}" if model.startswith(("=", "+", "-", "@")) else model  # never a formula
        writer.writerow(
            [model, each.benchmark, each.documents, *("" if cell == NOT_MEASURED else cell for cell in row)]
        )
    return file.getvalue()


def _as_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


STYLES: dict[str, Callable[[Sequence[Summary], dict[str, str]], str]] = {
    "latex": _latex,
    "markdown": _markdown,
    "csv": _csv,
}
