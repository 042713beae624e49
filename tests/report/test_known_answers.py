"""Hand-made runs in which the truth is known give the numbers derived here, on the way that a user's run takes."""

import csv
import json
import math
from pathlib import Path

import pytest
from known_run import IDS, PHRASES, evidence_samples, ground_sample, grounded_at, varied_samples, vqa_sample, write
from typer.testing import CliRunner

from pixfound_tasks.cli import app as command
from pixfound_tasks.report import narrative as sentences
from pixfound_tasks.report.html import pictures
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

Z2 = 1.959964**2


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})


def summary_of(*folders, **options):
    (run,) = read_runs(*folders, **options)
    return summarize(run)


def test_a_model_that_always_grounds_at_the_third_phrase(tmp_path):
    """Its third phrase begins at token 4 of 10 and at character 8 of 23.

    The object is 4 columns of 20, the control's mask 16, with all of the object in it: chance is 4 / 16 everywhere, and
    the gain 3 / 4 everywhere, so that no draw differs. Of five points one lies in the object, of the control's none.
    """
    assert len(" ".join(PHRASES)) == 23
    samples = [ground_sample(id, grounded_at(2, selected=0), 0.0) for id in IDS]
    found = summary_of(write(tmp_path, ground=samples))
    when = found.when
    assert when.token_bins == (0, 0, 0, 0, 12, 0, 0, 0, 0, 0)
    assert when.location_bins == (0, 0, 0, 12, 0, 0, 0, 0, 0, 0)  # 8 / 23 = 0.348
    assert (when.median_location, when.located, when.candidates) == (0.4, 12, 5)
    assert when.intervals.median_char_location.value == pytest.approx(8 / 23)
    assert (found.grounding, found.oracle_miou, found.chance_miou) == (0.0, 1.0, 0.25)
    assert when.intervals.gain.value == 0.75
    assert (when.hits.point_hit, when.hits.hit_share, when.hits.chance_hit_share) == (1.0, pytest.approx(0.2), 0.0)
    assert when.matches == {"exact": 0, "overlap": 0, "other": 12}
    assert {name: count for name, count in when.concepts.items() if count} == {"object": 12}
    # Nothing is found before token 4, in the tenths of five phrases: of twenty parts the ninth is the first to have it.
    assert when.curve.mean.tolist() == [0.0] * 8 + [1.0] * 12


def test_emergence_above_chance_is_said_with_intervals(tmp_path):
    """Half of the images ground at the third phrase, the others nowhere: oracle 1/2, chance 1/4.

    The gain is 3/4 in six images and 0 - 1/4 in six, three pairs of each: 1/4 on average, and of six pairs drawn anew
    all can be of the bad kind: the interval reaches under 0.
    """
    good = [ground_sample(id, grounded_at(2), 0.0) for id in IDS[:6]]
    bad = [ground_sample(id, grounded_at(None), 0.0) for id in IDS[6:]]
    found = summary_of(write(tmp_path, ground=good + bad))
    gain = found.when.intervals.gain
    assert (gain.value, gain.units) == (0.25, 6)
    assert gain.low < 0 < gain.high
    (first, *_) = sentences.emergence(found.when)
    assert first.startswith(
        "Grounding does not emerge above chance: the best candidate masks have a mean IoU of 50.0 %"
    )
    assert "the difference is 25.0 points (" in first


def test_right_answers_and_wrong_grounding(tmp_path):
    """All six pairs are grounding-only failures: share 1, by Wilson from 6 / (6 + z2) to 1."""
    samples = {
        "vqa": [vqa_sample(id) for id in IDS],
        "ground": [ground_sample(id, grounded_at(2, selected=0), 0.0) for id in IDS],
    }
    found = summary_of(write(tmp_path, **samples)).failures["choice"]
    for rule in ("paper", "strict"):
        assert found[rule].counts == {
            "both_right": 0, "vqa_only_failure": 0, "grounding_only_failure": 6, "both_wrong": 0
        }  # fmt: skip
        share = found[rule].shares["grounding_only_failure"]
        assert (share.value, share.high) == (1.0, 1.0)
        assert share.low == pytest.approx(6 / (6 + Z2), abs=1e-6)
    assert found["paper"].by["pattern"]["Text"].units["grounding_only_failure"] == (("1", "2"), ("3", "4"))


def test_answers_of_one_model_by_groundings_of_another(tmp_path):
    answers = write(tmp_path / "answers", vqa=[vqa_sample(id, correct=id != "1") for id in IDS])
    masks = write(tmp_path / "masks", ground=[ground_sample(id, grounded_at(2, selected=2), 1.0) for id in IDS])
    (answers / "model").rename(answers / "talker")
    (masks / "model").rename(masks / "pointer")
    assert [run.model for run in read_runs(answers, masks)] == ["talker", "pointer"]
    joined = summary_of(answers, masks, join=True)
    assert joined.model == "talker + pointer"
    assert joined.failures["choice"]["paper"].units["vqa_only_failure"] == (("1", "2"),)
    (masks / "pointer").rename(masks / "talker")
    assert summary_of(answers, masks).failures == joined.failures  # of one model without being asked


def test_the_same_task_of_one_model_twice_stays_apart(tmp_path):
    folders = [write(tmp_path / name, vqa=[vqa_sample(id) for id in IDS]) for name in ("first", "second")]
    assert [run.model for run in read_runs(*folders)] == ["model (first)", "model (second)"]


def test_models_are_told_apart_by_as_much_of_the_folder_as_it_takes(tmp_path, monkeypatch):
    folders = [write(tmp_path / name / "runs", vqa=[vqa_sample(id) for id in IDS]) for name in ("first", "second")]
    assert [run.model for run in read_runs(*folders)] == ["model (first/runs)", "model (second/runs)"]
    monkeypatch.chdir(folders[0])
    assert [run.model for run in read_runs(Path(), folders[1])] == ["model (first/runs)", "model (second/runs)"]


def test_evidence(tmp_path):
    """Of twelve answers six change with the region, and one of them with the control too: 1/2, 1/12, and 5/12 more.

    The grounded half is the first six images, of which four change and none with the control; of the others two, and
    one with the control: 4/6 and 1/6, so that a grounded image depends more on the region by 1/2.
    """
    flips = {"1": (1, 0), "2": (1, 0), "3": (1, 0), "4": (1, 0), "7": (1, 1), "8": (1, 0)}
    asked = [sample for id in IDS for sample in evidence_samples(id, *flips.get(id, (0, 0)))]
    grounded = [ground_sample(id, grounded_at(0), 1.0) for id in IDS[:6]]
    missed = [ground_sample(id, grounded_at(2), 0.0) for id in IDS[6:]]
    summary = summary_of(write(tmp_path, vqa_evidence=asked, ground=grounded + missed))
    found, crossed = summary.evidence
    assert (found.overall.evidence_count, found.overall.control_count, found.overall.documents) == (6, 1, 12)
    assert found.overall.difference.value == pytest.approx(5 / 12)
    assert found.by_pattern["Text"].evidence.value == 1.0
    assert (found.incomplete, found.left_out) == (0, {"without_region": 3, "without_control": 1})
    assert crossed.grounded.difference.value == pytest.approx(4 / 6)
    assert crossed.gain.value == pytest.approx(4 / 6 - 1 / 6)
    said = sentences.evidence(summary.evidence)
    assert said[0].startswith("The answers rest on the evidence: 50.0 % (")
    assert said[1] == "Left out: 3 without region, 1 without control."


def test_evidence_alone_counts_its_documents(tmp_path):
    found = summary_of(write(tmp_path, vqa_evidence=[s for id in IDS[:2] for s in evidence_samples(id, True, False)]))
    assert (found.documents, found.evidence.found.overall.documents, found.evidence.crossed) == (2, 2, None)
    assert math.isnan(found.answering) and found.when is None


def test_sensitivity_of_pictures(tmp_path):
    """IoU 0.8 as it is; cropped 0.6 and 0.4, blacked out 0.2 and 0.0: mean 0.3, spread sqrt(0.05), drop 0.5."""
    asked = [s for id in IDS for s in varied_samples(id, original=[0.8], crop=[0.6, 0.4], mask_out=[0.2, 0.0])]
    every, crop, mask_out = summary_of(write(tmp_path, ground_visual_lite=asked)).sensitivity["ground_visual_lite"]
    assert (every.type, every.original, every.worst) == ("all", pytest.approx(0.8), 0.0)
    assert every.mean.value == pytest.approx(0.3) and every.drop.value == pytest.approx(0.5)
    assert every.spread == pytest.approx(math.sqrt(0.05))
    assert crop.scores == (pytest.approx(0.6), pytest.approx(0.4)) and mask_out.drop.value == pytest.approx(0.7)


def test_sensitivity_of_answers_counts_pairs(tmp_path):
    """Of six pairs all are right as they are; misspelt, the second image of the first three is wrong: 1/2, drop 1/2.

    The drop is 1 in three pairs and 0 in three: its interval is that of a share of 3 of 6 pairs, and inside 0..1.
    """
    asked = [
        sample
        for id in IDS
        for sample in varied_samples(id, original=[True], spelling=[not (id in "246" and len(id) == 1)])
    ]
    (found,) = summary_of(write(tmp_path, vqa_lang=asked)).sensitivity["vqa_lang"]
    assert (found.type, found.original, found.scores) == ("spelling", 1.0, (0.5,))
    assert (found.drop.value, found.drop.units) == (0.5, 6)
    assert 0 <= found.drop.low < 0.5 < found.drop.high <= 1


def test_files_beside_the_page(tmp_path):
    asked = [s for id in IDS for s in evidence_samples(id, True, False)]
    samples = {
        "vqa": [vqa_sample(id) for id in IDS],
        "ground": [ground_sample(id, grounded_at(2), 0.0) for id in IDS],
        "vqa_evidence": asked,
        "vqa_lang": [s for id in IDS for s in varied_samples(id, original=[True], spelling=[False])],
    }
    folder = write(tmp_path, **samples)
    done = CliRunner().invoke(command.app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    assert "Grounding emerges above chance" not in done.stdout  # no draw differs, and so there is no interval
    names = {file.name for file in (folder / "report").iterdir()}
    plots = ("outcomes", "location_tokens", "location_characters", "concepts", "curve", "evidence", "vqa_lang")
    assert {f"pixmini-model_{plot}.{kind}" for plot in plots for kind in ("svg", "png")} <= names
    with (folder / "report" / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == IDS
    assert rows[0]["outcome_choice_paper"] == "grounding_only_failure"
    assert (rows[0]["phrase"], rows[0]["iou"], rows[0]["oracle_iou"], rows[0]["right"]) == ("dog", "0.0", "1.0", "1")
    (values,) = json.loads((folder / "report" / "report.json").read_text())
    assert values["evidence"]["found"]["overall"]["evidence"]["value"] == 1.0
    assert values["provenance"]["prompts"] == {
        "choice": "{question} Options: {options} Say.", "referring": "Find {expression}."
    }  # fmt: skip
    page = (folder / "report" / "index.html").read_text()
    assert page.count('src="data:image/svg+xml;base64,') == len(
        plots
    )  # with the map of scores; the outcomes are drawn by the page itself
    assert "Does the answer rest on the evidence?" in page and "Prompt sensitivity" in page
