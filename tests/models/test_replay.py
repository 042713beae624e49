"""Folders of predictions in the authors' layout, on PixMini; the published numbers are checked in test_parity.py."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from running import evaluate, metrics

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.models.predictions import read_answers, read_judged, read_phrases, read_png
from pixfound_tasks.models.replay import PixFoundReplay


@pytest.fixture(scope="module")
def documents():
    return list(benchmarks.load("pixmini")["test"].remove_columns("image"))


def write_mask(path, rle, scale=1):
    picture = masks.decode(rle).astype(np.uint8) * 255
    Image.fromarray(np.kron(picture, np.ones((scale, scale), np.uint8))).save(path)


def run(arguments, tasks):
    return evaluate("pixfound_replay", arguments, tasks)


def test_perfect_predictions_score_one(documents, tmp_path):
    lines = []
    for doc in documents:
        write_mask(tmp_path / f"{int(doc['id']):05d}.png", doc["mask"], scale=2)
        reply = {"question_id": int(doc["id"]), "answer": doc["answer"].upper(), "gt_answer": f"({doc['answer']})"}
        lines.append(json.dumps(reply))
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    results = run(f"masks={tmp_path},answers={tmp_path / 'answers.jsonl'},name=perfect", ["pixmini"])
    assert metrics(results, "pixmini")["score"] == 1.0
    found = metrics(results, "pixmini_ground")
    assert [found[name] for name in ("miou", "ciou", "precision_50", "absent_accuracy", "oracle_miou")] == [1.0] * 5
    response = json.loads(results["samples"]["pixmini_ground"][0]["filtered_resps"][0])
    assert response["provenance"]["model"] == "perfect"


def test_candidates_are_chosen_by_similarity_by_the_judge_or_the_first(documents, tmp_path):
    truth = documents[0]["mask"]
    assert masks.area(truth) and documents[0]["id"] == "1"
    blank = masks.empty((112, 112))
    # Image 1: phrase 0 misses, of phrase 2 the second of two masks is right.
    for name, rle in (("1_000_000", blank), ("1_002_000", blank), ("1_002_001", truth)):
        write_mask(tmp_path / f"{name}.png", rle)
    phrases, judged = tmp_path / "phrases.txt", tmp_path / "judged.jsonl"
    answer = "A wall - red | and a star."
    phrases.write_text(
        f"1.jpg - 0 - A wall - red| wall| 0.2 | 0 | 12| {answer}\n1.jpg - 2 - a star| star| 0.71 | 19 | 25| {answer}\n"
    )
    judged.write_text(
        '{"question_id": 0, "selected file": "1_002_000.png"}\n{"question_id": 1, "selected file": "NONE"}\n'
    )

    def first_iou(select):
        results = evaluate(
            "pixfound_replay", f"masks={tmp_path},phrases={phrases},{select}", ["pixmini_ground"], limit=1
        )
        (sample,) = results["samples"]["pixmini_ground"]
        return sample["miou"], sample["oracle_miou"], json.loads(sample["filtered_resps"][0])

    miou, oracle, response = first_iou("select=similarity")
    assert (miou, oracle) == (1.0, 1.0)
    assert response["selected"] == {"by": "similarity", "phrase": 1, "candidate": 1}
    assert response["text"] == answer and response["phrases"][1]["chars"] == [19, 25]
    assert first_iou(f"select=judge,judged={judged}")[:2] == (0.0, 1.0)
    assert first_iou("select=first")[:2] == (0.0, 1.0)


def test_documents_without_a_prediction_are_unparsed_not_lost(documents, tmp_path):
    write_mask(tmp_path / "00001.png", documents[0]["mask"])
    results = run(f"masks={tmp_path}", ["pixmini_ground"])
    assert metrics(results, "pixmini_ground")["unparsed"] == pytest.approx(119 / 120)
    assert len(results["samples"]["pixmini_ground"]) == 120


def test_missing_arguments_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"expected PNGs such as 00001.png or 1_000_002.png in masks=.*, but found none"
    ):
        PixFoundReplay(masks=str(tmp_path))
    with pytest.raises(
        ValueError, match=r"expected judged=FILE.jsonl together with select=judge, but got select='judge'"
    ):
        PixFoundReplay(select="judge")
    with pytest.raises(ValueError, match=r"one of \['first', 'judge', 'similarity'\], but got 'best'"):
        PixFoundReplay(select="best")
    with pytest.raises(ValueError, match="expected answers=FILE.jsonl for the task pixmini_vqa, but got none"):
        run("", ["pixmini_vqa"])


def test_answers_of_either_form(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(
        '{"question_id": 1, "prompt": "?", "answer": "B", "gt_answer": "(a)", "text_options": ["x", "y"]}\n\n'
        '{"question_id": "2", "prompt": "?", "answer": "(a)", "response": "It is \u2028 open."}\n'
    )
    assert read_answers(path) == {1: "B", 2: "It is \u2028 open."}


@pytest.mark.parametrize(
    ("read", "line", "expected"),
    [
        (
            read_answers,
            '{"question_id": 1}',
            "expected question_id with answer and gt_answer, or with response in line 1",
        ),
        (read_judged, '{"question_id": 0, "selected file": "x.png"}', "such as 1_004_002.png or NONE in line 1"),
        (read_phrases, "1.jpg - 0 - wings", "expected '7.jpg - 0 - orange wings"),
        (read_phrases, "1.jpg - 0 - wings| wings| 0.5 | 1", "expected '7.jpg - 0 - orange wings"),
    ],
)
def test_unreadable_lines_are_named(tmp_path, read, line, expected):
    path = tmp_path / "file"
    path.write_text(line)
    with pytest.raises(ValueError, match=expected):
        read(path)


def test_a_mask_is_everything_that_is_not_zero(tmp_path):
    Image.fromarray(np.array([[0, 1], [128, 255]], np.uint8)).save(tmp_path / "1.png")
    np.testing.assert_array_equal(masks.decode(read_png(tmp_path / "1.png", (2, 2))), [[0, 1], [1, 1]])
