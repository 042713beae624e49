"""What flipped in tasks that prompt several times: each variation beside its original, on the page and as CSV."""

from __future__ import annotations

import csv

import pytest
from known_run import evidence_samples, varied_samples, write
from PIL import Image
from typer.testing import CliRunner
from written_run import HOSTILE, SIZE, box

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.html import pictures
from pixfound_tasks.runs.changes import changes, edited
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


PHOTO = Image.new("RGB", SIZE[::-1], (200, 100, 0))


def edits_of(folder, task, **fields):
    """Writes a run of one document and its change, whose last sample has these fields; returns the change."""
    samples = (
        evidence_samples("1", True, False)[:2]
        if task == "vqa_evidence"
        else varied_samples("1", original=[1.0], crop=[0.0])
    )
    samples[-1]["pixfound"] |= fields
    (run,) = read_runs(write(folder, **{task: samples}))
    (change,) = changes(run)
    return change


def test_a_changed_image_is_made_again_as_the_model_saw_it(tmp_path):
    crop = edits_of(tmp_path / "crop", "ground_visual", variation_type="crop", region=[0, 0, 12, 7])
    assert edited(PHOTO, crop.before) is None
    assert edited(PHOTO, crop.after).size == (12, 7)
    black = edits_of(tmp_path / "black", "ground_visual", variation_type="mask_out", region=[3, 2, 5, 4])
    pixels = edited(PHOTO, black.after)
    assert [pixels.getpixel(place) for place in ((2, 2), (3, 2), (4, 3), (5, 4))] == [
        (200, 100, 0), (0, 0, 0), (0, 0, 0), (200, 100, 0),
    ]  # fmt: skip
    half = PHOTO.copy()
    half.paste((0, 100, 0), (10, 0, 20, 10))
    painted = edited(half, edits_of(tmp_path / "masked", "vqa_evidence", painted=box(4)).after)
    assert [painted.getpixel(place) for place in ((0, 0), (4, 0))] == [(100, 100, 0), (200, 100, 0)]


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("ground_visual", {"variation_type": "crop", "region": [0, 0, 10**9, 10**9]}),
        ("ground_visual", {"variation_type": "crop", "region": [5, 5, 5, 5]}),
        ("ground_visual", {"variation_type": "crop", "region": ["a", 0, 1, None]}),
        ("vqa_evidence", {"painted": {"size": [9, 9], "counts": "x"}}),
        ("vqa_evidence", {"painted": box(0)}),
    ],
)
def test_a_change_that_does_not_fit_the_image_is_left_out(tmp_path, task, fields):
    assert edited(PHOTO, edits_of(tmp_path, task, **fields).after) is None


def test_the_page_shows_the_original_and_the_changed_image(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {"pixmini": {"1": PHOTO}})
    edits_of(tmp_path, "vqa_evidence", painted=box(4))
    done = CliRunner().invoke(command.app, ["report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count('<img class="seen" src="data:image/png') == 2 and "target region masked" in page
