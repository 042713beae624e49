"""A check's verdicts as lines of text, as annotations for GitHub Actions, and as a job summary.

Names and reasons come from untrusted files, so nothing in them may start a line, an annotation or Markdown.
"""

import re
import sys
from collections.abc import Sequence

import typer

from pixfound_tasks.report.formats import one_line
from pixfound_tasks.runs.check.verdicts import Verdict


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Returns one line per verdict: `ok` or `FAIL`, the requirement, the model, and the value or the reason."""
    asked = [one_line(verdict.requirement.text) for verdict in verdicts]
    models = [one_line(verdict.model or "") for verdict in verdicts]
    widths = [max(map(len, column), default=0) for column in (asked, models)]
    return [
        f"{'ok' if verdict.passed else 'FAIL':4}  {text:{widths[0]}}  {model:{widths[1]}}  {_said(verdict)}"
        for verdict, text, model in zip(verdicts, asked, models)
    ]


def print_lines(found: Sequence[str]) -> None:
    """Prints the lines; a terminal breaks them between words. Imports nothing more if they are piped."""
    if not sys.stdout.isatty():
        typer.echo("\n".join(found))
        return
    from rich.text import Text

    from pixfound_tasks.report.console import make_console, print_prose

    for line in found:
        print_prose(make_console(), Text(line))


def annotations(verdicts: Sequence[Verdict]) -> list[str]:
    """Returns an `::error::` line per failed verdict, which GitHub Actions shows next to the commit."""
    return [
        "::error title=pixfound check::" + _said_of(verdict).replace("%", "%25")
        for verdict in verdicts
        if not verdict.passed
    ]


def job_summary(verdicts: Sequence[Verdict]) -> str:
    """Returns a Markdown table to append to the file that GITHUB_STEP_SUMMARY names."""
    rows = [
        f"| {'passed' if verdict.passed else '**failed**'} | {_escaped(verdict.requirement.text)} "
        f"| {_escaped(verdict.model or '')} | {_escaped(_said(verdict))} |"
        for verdict in verdicts
    ]
    return "\n".join(["", "| | requirement | model | |", "|---|---|---|---|", *rows, ""])


def _said(verdict: Verdict) -> str:
    return one_line(verdict.reason) if verdict.reason else f"{verdict.value:.4f}"


def _said_of(verdict: Verdict) -> str:
    model = f" of {one_line(verdict.model)}" if verdict.model else ""
    return f"{one_line(verdict.requirement.text)}{model}: {_said(verdict)}"


def _escaped(text: str) -> str:
    """Escapes text so that Markdown shows it unchanged."""
    return re.sub(r"[^\w ./,;()-]", lambda match: f"&#{ord(match[0])};", one_line(text))
