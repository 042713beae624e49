"""What flipped in tasks that prompt several times: each variation beside its original, on the page and as CSV."""

from __future__ import annotations

import csv

import pytest
from known_run import evidence_samples, varied_samples, write
from typer.testing import CliRunner
from written_run import HOSTILE

from pixfound_tasks.cli import app as command
from pixfound_tasks.runs.changes import changes
from pixfound_tasks.runs.run import read_runs


@pytest.fixture
def folder(tmp_path):
    """Image 1: right, misspelled once right and once wrong; image 2: wrong, then right. Image 1's evidence counts."""
    lang = [
        *varied_samples("1", original=[True], spelling=[True, False]),
        *varied_samples("2", original=[False], spelling=[True]),
    ]
    for number, sample in enumerate(lang):
        sample |= {"input": f"prompt {number} {HOSTILE}", "filtered_resps": [f"answer {number}"]}
    return write(tmp_path, vqa_lang=lang, vqa_evidence=evidence_samples("1", True, False))


def test_a_flip_is_right_in_one_and_wrong_in_the_other(folder):
    (run,) = read_runs(folder)
    found = [
        (change.after.id, change.type, change.variation, change.is_flip)
        for change in changes(run)
        if change.task == "vqa_lang"
    ]
    assert found == [
        ("1", "spelling", 0, False), ("2", "spelling", 0, True), ("1", "spelling", 1, True),
    ]  # fmt: skip
    evidence = {change.type: change.is_flip for change in changes(run) if change.task == "vqa_evidence"}
    assert evidence == {"evidence": True, "control": False}


def test_a_run_of_variations_alone_is_reported(folder):
    done = CliRunner().invoke(command.app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    assert "oracle" not in done.stdout  # no table of dashes
    page = (folder / "report" / "index.html").read_text()
    assert "2 of 3 variations flip a document" in page and "1 of 2 changed images change the answer" in page
    assert "<h2>Scores</h2>" not in page and 'id="gallery" hidden' in page
    assert "<img src=x" not in page
    with (folder / "report" / "variations.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == "vqa_lang"]
    assert [(row["id"], row["flipped"], row["answer_before"], row["answer_after"]) for row in rows] == [
        ("1", "0", "answer 0", "answer 1"), ("2", "1", "answer 3", "answer 4"), ("1", "1", "answer 0", "answer 2"),
    ]  # fmt: skip
