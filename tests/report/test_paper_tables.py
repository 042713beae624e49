"""Tables for papers: the numbers of report.json, in LaTeX, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from typer.testing import CliRunner
from written_run import HOSTILE, write_run

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.cli import app as command
from pixfound_tasks.report.paper_tables import paper_table
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

FIELDS = {"A": "answering", "accuracy": "accuracy", "M": "grounding", "oracle": "oracle_miou", "S": "score"}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    (run,) = read_runs(write_run(tmp_path_factory.mktemp("written") / "run"))
    return replace(summarize(run), partial=False)


def cells(line):
    return [cell.strip() for cell in line.removesuffix(r"\\").split(" & ")]


def test_the_command_prints_the_numbers_of_the_report(tmp_path):
    run = write_run(tmp_path / "run")
    assert CliRunner().invoke(command.app, ["report", str(run)]).exit_code == 0
    (values,) = json.loads((run / "report" / "report.json").read_text())
    printed = CliRunner().invoke(command.app, ["report", str(run), "--table", "latex"]).stdout
    lines = printed.splitlines()
    headings, row = cells(lines[2]), cells(lines[4])
    assert row[:2] == [f"maker/model (partial, 5 of {get_benchmark('pixmini').document_count})", "pixmini"]
    for heading, field in FIELDS.items():
        assert row[headings.index(heading)] == f"{100 * values[field]:.1f}", heading
    ends = values["intervals"]["answering"]
    assert f"[{100 * ends['low']:.1f}, {100 * ends['high']:.1f}]" in cells(lines[5])[headings.index("A")]
    (record,) = csv.DictReader(
        io.StringIO(CliRunner().invoke(command.app, ["report", str(run), "--table", "csv"]).stdout)
    )
    assert record["M"] == f"{100 * values['grounding']:.1f}" and record["A low"] == f"{100 * ends['low']:.1f}"


def test_the_best_of_several_is_bold(summary):
    """Of A 50.0 and 60.0 the second; of the partial one, which is higher, none; chance is never ranked."""
    better = replace(summary, model="better", answering=0.6, chance_miou=0.9)
    partial = replace(summary, model="part", answering=0.9, partial=True)
    rows = [line for line in paper_table([summary, better, partial], "markdown").splitlines() if "| pixmini |" in line]
    bold = [re.findall(r"\*\*([\d.]+)\*\*", row) for row in rows]
    assert "60.0" in bold[1] and "50.0" not in bold[0] and not bold[2]
    assert "90.0" not in bold[1]
    assert "**" not in paper_table([summary], "markdown")


def test_names_stay_text(summary):
    named = replace(summary, model=r"a_b&c%$#{}~^\input{x}" + HOSTILE)
    latex = paper_table([named], "latex")
    assert r"a\_b\&c\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}input\{x\}" in latex
    assert r"\input" not in latex
    assert r"\<img" in paper_table([named], "markdown")
    assert (
        next(csv.reader(io.StringIO(paper_table([replace(summary, model="=1+1")], "csv").splitlines()[1])))[0]
        == "'=1+1"
    )


def test_latex_compiles(summary, tmp_path):
    compiler = next(filter(None, map(shutil.which, ("tectonic", "pdflatex"))), None)
    if compiler is None:
        pytest.skip("needs a TeX")
    table = paper_table([replace(summary, model=r"a_b&c%$#{}~^\x")], "latex")
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{table}\\end{{document}}"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    subprocess.run([compiler, "table.tex"], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)


def test_an_unknown_style_is_named(tmp_path):
    done = CliRunner().invoke(command.app, ["report", str(write_run(tmp_path / "run")), "--table", "latx"])
    assert done.exit_code == 1 and "did you mean 'latex'" in done.output
