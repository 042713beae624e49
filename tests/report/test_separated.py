"""A run with `grounding=both` is two: the masks that the model drew, and those of its attention."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner
from written_run import IMAGES, box, document, ground_sample, vqa_sample, write_results, write_samples

from pixfound_tasks.cli import app as command
from pixfound_tasks.response import Candidate, Phrase, PromptedMasks, Response, Selection, to_text
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize


def both(id):
    """The decoder draws what `IMAGES` has; attention's phrase has one column, and one with all of the object."""
    true, predicted, _ = IMAGES[id]
    candidates = (Candidate(box(1), 0.9), Candidate(box(max(true, 1)), 0.1))
    response = Response(
        "the red square", (box(predicted),), phrases=(Phrase((0.1, 0.5), candidates, "the red square"),),
        selected=Selection("similarity", 0, 0), control=(PromptedMasks((0.9, 0.5), (Candidate(box(2)),)),),
        provenance={"grounding": "both", "masks": "all"},
    )  # fmt: skip
    return ground_sample(id) | {"filtered_resps": [to_text(response)], "oracle_miou": 1.0}


@pytest.fixture
def folder(tmp_path):
    write_samples(tmp_path / "run" / "maker__model", "pixmini_ground", map(both, IMAGES))
    write_samples(tmp_path / "run" / "maker__model", "pixmini_vqa", map(vqa_sample, IMAGES))
    write_results(tmp_path / "run" / "maker__model")
    return tmp_path / "run"


def test_both_are_scored_from_the_same_answers(folder):
    """Columns: truth 10, 0, 10, 10, 4; drawn 8, 5, 4, 10, 4; attention 1 everywhere, with a candidate of the truth."""
    drawn, attended = map(summarize, read_runs(folder))
    assert (drawn.model, attended.model) == ("maker/model", "maker/model (attention)")
    assert drawn.answering == attended.answering == 0.5
    assert drawn.grounding == pytest.approx((0.8 + 0 + 0.4 + 1 + 1) / 5)
    assert attended.grounding == pytest.approx((0.1 + 0 + 0.1 + 0.1 + 0.25) / 5)
    assert drawn.oracle_miou == pytest.approx(drawn.grounding)  # no candidates but its own
    assert attended.oracle_miou == pytest.approx(1.0)
    assert attended.chance_miou == pytest.approx((0.2 + 1 + 0.2 + 0.2 + 0.5) / 5)
    made = [summary.provenance.responses["grounding"] for summary in (drawn, attended)]
    assert made == [("own",), ("attention",)]


def test_compare_puts_them_against_each_other(folder):
    names = ["--model-a", "maker/model", "--model-b", "maker/model (attention)"]
    done = CliRunner().invoke(command.app, ["compare", str(folder), str(folder), *names, "--json", "-"])
    assert done.exit_code == 0, done.output
    (compared,) = json.loads(done.stdout)["benchmarks"]
    (grounding,) = (each for each in compared["differences"] if each["score"] == "grounding")
    assert grounding["effect"] == pytest.approx((0.1 + 0.1 + 0.1 + 0.25 - 0.8 - 0.4 - 2) / 5)


def test_other_runs_stay_one(folder, tmp_path):
    write_samples(tmp_path / "plain" / "maker__model", "pixmini_ground", map(ground_sample, IMAGES))
    assert [run.model for run in read_runs(tmp_path / "plain")] == ["maker__model"]
    assert document("1")["benchmark"] == "pixmini"
