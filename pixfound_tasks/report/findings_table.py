"""Prints the findings of `pixfound doctor` in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from pixfound_tasks.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from pixfound_tasks.report.console import make_console, print_prose, printable

_STYLES = {OK: "green", NOTE: "cyan", WARNING: "yellow", ERROR: "bold red"}
_WIDTH = max(map(len, _STYLES)) + 1


def print_findings(findings: Sequence[Finding]) -> None:
    """Prints one line per finding, grouped by section and followed by its fix, and then the conclusion."""
    console = make_console()
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            console.print(Text(f"\n{section}", "bold"))
        line = Text("  ").append(f"{finding.status:{_WIDTH}}", _STYLES[finding.status])
        line.append(f"{finding.name}: {printable(finding.detail)}")
        print_prose(console, line)
        if finding.remedy:
            console.print(Text(f"{'':{_WIDTH + 2}}-> {printable(finding.remedy)}"), soft_wrap=True)
    console.print()
    print_prose(console, _conclusion(findings))


def _conclusion(findings: Sequence[Finding]) -> Text:
    errors = [finding for finding in findings if finding.status == ERROR]
    if not errors:
        warnings = sum(finding.status == WARNING for finding in findings)
        return Text("Evaluations can run." + f" Warnings: {warnings}." * bool(warnings), "bold green")
    return Text(f"Evaluations cannot run. To repair it: {printable(errors[0].remedy)}", "bold red")
