"""PixCV-Bench by the commands: made-up predictions on stand-in images, against numbers counted with numpy."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
import standins_pixcv
from PIL import Image
from running import command

from pixfound_tasks import benchmarks, masks

PREDICTED = 150  # of 1,438 images; the others have no prediction


@pytest.fixture(scope="module")
def documents(shared, tmp_path_factory):
    """The benchmark on stand-in images, for this module's commands too."""
    place = tmp_path_factory.mktemp("pixcv")
    standins_pixcv.make(shared / "data" / "pixcvbench", place)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIXFOUND_DATA", str(place))
        yield benchmarks.load("pixcvbench")["test"].remove_columns("image").to_list()


@pytest.fixture(scope="module")
def predicted(documents, tmp_path_factory):
    """A folder of masks and answers, and for each predicted document its IoU and whether its answer is right."""
    folder = tmp_path_factory.mktemp("predictions")
    rng = np.random.RandomState(0)
    expected, lines = {}, []
    for index in sorted(rng.choice(len(documents), PREDICTED, replace=False)):
        doc = documents[index]
        target = masks.decode(doc["mask"])
        mask = np.roll(target, rng.randint(-20, 20, 2), (0, 1))
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{doc['file'].partition('.')[0]}.png")
        correct = bool(rng.randint(2))
        lines.append({"question_id": int(doc["id"]), "answer": doc["answer"] if correct else "x", "gt_answer": "-"})
        union = (mask | target).sum()
        expected[doc["id"]] = (mask & target).sum() / union if union else 1.0, correct
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder, expected


def test_scores_overall_by_source_and_by_task(documents, predicted, tmp_path):
    folder, expected = predicted
    done = command(
        "lmms-eval", "--model", "pixfound_replay", "--tasks", "pixcvbench", "--output_path", tmp_path, "--log_samples",
        "--model_args", f"masks={folder},answers={folder}/answers.jsonl,name=made-up",
    )  # fmt: skip
    reported = command("pixfound", "report", tmp_path)
    assert done.returncode == reported.returncode == 0, done.stdout + done.stderr + reported.stderr
    (report,) = json.loads((tmp_path / "report" / "report.json").read_text())

    members = defaultdict(list)
    for doc in documents:
        iou, correct = expected.get(doc["id"], (0.0 if masks.area(doc["mask"]) else 1.0, False))
        for name in ("all", doc["source"], doc["task"]):
            members[name].append((iou, correct))
    means = {name: np.mean(values, axis=0) for name, values in members.items()}

    (results,) = tmp_path.rglob("*_results.json")
    results = json.loads(results.read_text())["results"]
    assert results["pixcvbench_ground"]["miou,none"] == pytest.approx(means["all"][0], abs=1e-9)
    assert results["pixcvbench_vqa"]["score,none"] == pytest.approx(means["all"][1], abs=1e-9)
    assert results["pixcvbench"]["score,none"] == pytest.approx(2 / sum(1 / means["all"]), abs=1e-9)
    assert results["pixcvbench_ground"]["unparsed,none"] == pytest.approx(1 - PREDICTED / 1438)

    rows = {row["name"]: row for row in report["patterns"]}
    assert set(rows) == {"ADE20K", "COCO", "Count", "Relation"}
    for name, row in rows.items():
        assert (row["miou"], row["accuracy"]) == pytest.approx(tuple(means[name]), abs=1e-9)
        assert row["images"] == len(members[name])
    for name in ("ADE20K", "Relation"):
        assert name in reported.stdout
