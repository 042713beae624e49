"""The authors' own numbers, to 1e-9: their scripts' scores of synthetic predictions over the real annotations.

Through the `lmms-eval` command, `pixfound_replay` and `pixfound report`, as a user would; and the embedded model on
the same documents.
"""

from __future__ import annotations

import json
import tarfile

import pytest
import standins
from running import command, evaluate, metrics

from pixfound_tasks import mini
from pixfound_tasks.analysis.metrics import mean
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.scores import iou, is_correct


@pytest.fixture(scope="module")
def predictions(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    with tarfile.open(shared / "data" / "reference_predictions.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def data(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    standins.make(shared / "data" / "pixmmvp", folder)
    return folder


@pytest.fixture(scope="module")
def expected(predictions):
    return json.loads((predictions / "expected.json").read_text())


@pytest.fixture(scope="module")
def replay(predictions, data, tmp_path_factory):
    """Run the command and the report; returns the results, the report's numbers, and the run as it reads it."""

    def run(arguments, tasks):
        out = tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PIXFOUND_DATA", str(data))
            done = command(
                "lmms-eval", "--model", "pixfound_replay", "--model_args", arguments.format(folder=predictions),
                "--tasks", tasks, "--output_path", out, "--log_samples",
            )  # fmt: skip
            reported = command("pixfound", "report", out)
        assert done.returncode == reported.returncode == 0, done.stdout + done.stderr + reported.stderr
        (results,) = out.rglob("*_results.json")
        (report,) = json.loads((out / "report" / "report.json").read_text())
        (found,) = read_runs(out)
        return json.loads(results.read_text())["results"], report, found

    return run


def exactly(value):
    return pytest.approx(value, abs=1e-9, rel=0)


def test_choice_answers_and_single_masks(replay, expected):
    results, report, run = replay(
        "masks={folder}/preds_single,answers={folder}/answers_p2.jsonl", "pixmmvp_vqa,pixmmvp_ground"
    )
    vqa, ground = results["pixmmvp_vqa"], results["pixmmvp_ground"]
    assert vqa["pair_accuracy,none"] == exactly(expected["choice"]["pair_accuracy"])
    assert vqa["accuracy,none"] == exactly(expected["choice"]["accuracy"])
    assert [record.document.id for record in run.records] == [str(image) for image in range(1, 301)]
    assert [is_correct(record) for record in run.records] == expected["choice"]["correct"]

    assert ground["miou,none"] == exactly(expected["single_mask"]["miou_286"])
    assert ground["oracle_miou,none"] == exactly(expected["single_mask"]["miou_286"])
    by_image = [iou(record) for record in run.records]
    assert by_image == exactly(expected["single_mask"]["iou_by_image"])
    assert mean(by_image) == exactly(expected["single_mask"]["miou_300"])
    assert sum(record.ground.metrics["miou"] is not None for record in run.records) == 286
    assert report["failures"]["choice"]["paper"]["counts"] == expected["failures_single_mask_x_choice"]


def test_candidates_by_oracle_and_similarity_and_when(replay, expected):
    results, report, _ = replay(
        "masks={folder}/preds_cand,phrases={folder}/meta_when.txt,select=similarity", "pixmmvp_ground"
    )
    found = results["pixmmvp_ground"]
    assert found["oracle_miou,none"] == exactly(expected["candidates"]["oracle_miou"])
    assert found["miou,none"] == exactly(expected["candidates"]["similarity_miou"])
    assert report["oracle_miou"] == exactly(expected["candidates"]["oracle_miou"])
    assert report["when"]["location_bins"] == expected["when_location_bins"]


def test_candidates_by_the_judge(replay, expected):
    arguments = "masks={folder}/preds_cand,phrases={folder}/meta_spacy.txt,select=judge,judged={folder}/meta_auto.jsonl"
    results, _, _ = replay(arguments, "pixmmvp_ground")
    assert results["pixmmvp_ground"]["miou,none"] == exactly(expected["candidates"]["judge_miou"])


def test_the_embedded_model_runs_all_of_pixmmvp(data, monkeypatch):
    monkeypatch.setenv("PIXFOUND_DATA", str(data))
    results = evaluate("pixfound", f"pretrained={mini.NAME}", ["pixmmvp"], batch_size=8)
    assert [len(results["samples"][task]) for task in ("pixmmvp_vqa", "pixmmvp_ground")] == [300, 300]
    # It knows nothing of such images: its numbers are low, but they are numbers.
    assert 0.0 < metrics(results, "pixmmvp")["score"] < 0.5
    assert metrics(results, "pixmmvp_ground")["unparsed"] == 0.0
