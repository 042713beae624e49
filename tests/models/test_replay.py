"""Folders of predictions in the authors' layout, on PixMini; the published numbers are checked in test_parity.py."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rectangles import SIZE, rectangle
from running import evaluate, metrics

from pixfound_tasks import benchmarks, masks
from pixfound_tasks.models.replay import PixFoundReplay
from pixfound_tasks.response import Response, from_text, to_text


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
    target = documents[0]["mask"]
    assert masks.area(target) and documents[0]["id"] == "1"
    blank = masks.empty((112, 112))
    # Image 1: phrase 0 misses, of phrase 2 the second of two masks is right.
    for name, rle in (("1_000_000", blank), ("1_002_000", blank), ("1_002_001", target)):
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
    assert metrics(results, "pixmini_ground")["unparsed"] == pytest.approx(1 - 1 / len(documents))
    assert len(results["samples"]["pixmini_ground"]) == len(documents)


def test_missing_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"expected PNGs such as 00001.png, .* in masks=.*, but found none"):
        PixFoundReplay(masks=str(tmp_path))
    with pytest.raises(
        ValueError, match=r"expected judged=FILE.jsonl together with select=judge, but got select='judge'"
    ):
        PixFoundReplay(select="judge")
    with pytest.raises(ValueError, match=r"one of \['first', 'judge', 'similarity'\], but got 'best'"):
        PixFoundReplay(select="best")
    with pytest.raises(ValueError, match="expected answers=FILE.jsonl for the task pixmini_vqa, but got none"):
        run("", ["pixmini_vqa"])


# From here on without lmms-eval's tasks: documents as its tasks hand them over, of any of our task names.

LEFT, RIGHT, NOTHING = rectangle(0, 0, 2, 4), rectangle(4, 0, 6, 4), rectangle(0, 0, 0, 0)


def document(identifier, file):
    image = Image.new("RGB", SIZE[::-1])
    return {"id": identifier, "file": file, "expression": "the cup", "image": image}


def replay(task, documents, **arguments):
    """What the model answers to documents of a task, as text."""
    model = PixFoundReplay(**arguments)
    model.task_dict = {task: {"test": documents}}

    def messages(doc):
        return [{"role": "user", "content": [{"type": "image", "url": doc["image"]}, {"type": "text", "text": "?"}]}]

    instances = [SimpleNamespace(args=("", messages, {}, index, task, "test")) for index, _ in enumerate(documents)]
    return [result.text for result in model.generate_until(instances)]


def predictions(texts):
    """By document its one mask; None where nothing grounded came."""
    found = [from_text(text, SIZE) for text in texts]
    assert not any(response.problems for response in found)
    return [response.prediction(SIZE) if response.is_grounded else None for response in found]


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


PHOTOS = [
    document("0", "ADE_val_00000248.jpg"),
    document("881", "000000001296.jpg"),  # a COCO file whose digits are another question's idx
    document("1296", "000000135902.jpg"),
]


@pytest.mark.parametrize("task", ["pixcvbench_ground", "pixcvbench_when"])
def test_pixcvbench_masks_go_by_file_name_and_never_by_its_digits(tmp_path, warnings, task):
    write_mask(tmp_path / "ADE_val_00000248.png", LEFT)
    write_mask(tmp_path / "000000001296.png", RIGHT)
    texts = replay(task, PHOTOS, masks=str(tmp_path))
    assert predictions(texts) == [LEFT, RIGHT, None]
    assert texts[2] == "" and warnings == ["1 of 3 documents have no mask: it counts as unparsed"]


def test_pixcvbench_masks_go_by_number_where_there_is_none_by_file_name(tmp_path):
    for name, mask in (("00000", RIGHT), ("ADE_val_00000248", LEFT), ("881", LEFT), ("output01296", NOTHING)):
        write_mask(tmp_path / f"{name}.png", mask)
    assert predictions(replay("pixcvbench_ground", PHOTOS, masks=str(tmp_path))) == [LEFT, LEFT, NOTHING]


def test_pixcvbench_candidates_by_file_name_or_number_with_phrases_and_a_judge(tmp_path):
    for name, mask in (
        ("ADE_val_00000248_000_000", LEFT), ("ADE_val_00000248_001_000", RIGHT),
        ("000000001296_000_000", LEFT), ("000000001296_000_001", RIGHT), ("1296_000_000", LEFT),
    ):  # fmt: skip
        write_mask(tmp_path / f"{name}.png", mask)
    phrases = tmp_path / "phrases.txt"
    phrases.write_text(
        "ADE_val_00000248.jpg - 0 - a wall| wall| 0.71\nADE_val_00000248.jpg - 1 - a - big| cup| 0.9\n"
        "000000001296.jpg - 0 - a cup| cup| 0.9\n1296.jpg - 0 - a cup| cup| 0.69\n"
    )
    arguments = {"masks": str(tmp_path), "phrases": str(phrases)}
    texts = replay("pixcvbench_ground", PHOTOS, **arguments)
    # The similarity of the third is under the threshold of 0.7: not there.
    assert predictions(texts) == [RIGHT, RIGHT, NOTHING]
    assert [phrase.text for phrase in from_text(texts[0], SIZE).phrases] == ["a wall", "a - big"]
    # PixCV-Bench counts its questions from 0, as judges do.
    judged = write_lines(
        tmp_path / "judged.jsonl",
        {"question_id": 0, "selected file": "preds/ADE_val_00000248_000_000.png"},
        {"question_id": 881, "selected file": "NONE"},
        {"question_id": 1296, "selected file": "1296_000_000.png"},
    )
    texts = replay("pixcvbench_ground", PHOTOS, select="judge", judged=judged, **arguments)
    assert predictions(texts) == [LEFT, NOTHING, LEFT]


def test_pixcvbench_answers_by_idx_or_by_file_name(tmp_path):
    by_number = write_lines(
        tmp_path / "choice.jsonl",
        {"questionId": 0, "image": "ADE_val_00000248.jpg", "answer": "A", "gt_answer": "(B)"},
        {"questionId": 1296, "image": "/coco/val2017/000000135902.jpg", "answer": "C", "gt_answer": "(B)"},
    )
    assert replay("pixcvbench_vqa", PHOTOS, answers=by_number) == ["A", "", "C"]
    by_file = write_lines(
        tmp_path / "open.jsonl",
        {"question_id": "ADE_val_00000248.jpg", "answer": "(B)", "response": "Two."},
        {"question_id": "/coco/val2017/000000001296.jpg", "answer": "(B)", "response": "Left."},
    )
    assert replay("pixcvbench_vqa_open", PHOTOS, answers=by_file) == ["Two.", "Left.", ""]


@pytest.mark.parametrize("benchmark", ["pixmmvp", "pixmini"])
@pytest.mark.parametrize("name", ["7", "00007", "output00007"])
def test_numbered_images_in_every_spelling_of_the_studys_scripts(tmp_path, benchmark, name):
    write_mask(tmp_path / f"{name}.png", LEFT)
    documents = [document("7", "7.jpg")]
    assert predictions(replay(f"{benchmark}_ground", documents, masks=str(tmp_path))) == [LEFT]


def test_open_answers_are_text_and_masks_together(tmp_path, warnings):
    write_mask(tmp_path / "1.png", LEFT)
    write_mask(tmp_path / "3.png", RIGHT)
    given = to_text(Response("Its own.", masks=(RIGHT,)))
    replies = [
        {"question_id": 1, "answer": "(a)", "response": "Open."},
        {"question_id": 2, "answer": "(a)", "response": "Closed."},
        {"question_id": 4, "answer": "(a)", "response": given},
        {"question_id": 5, "answer": "(a)", "response": json.loads(given)},
    ]
    answers = write_lines(tmp_path / "answers.jsonl", *replies)
    documents = [document(str(number), f"{number}.jpg") for number in range(1, 6)]
    texts = replay("pixmini_vqa_open", documents, answers=answers, masks=str(tmp_path))
    assert predictions(texts) == [LEFT, None, RIGHT, RIGHT, RIGHT]
    assert [from_text(text, SIZE).text for text in texts] == ["Open.", "Closed.", "", "Its own.", "Its own."]
    assert texts[3] == given
    assert warnings == [
        "1 of 5 documents have no mask: it counts as unparsed",
        "1 of 5 documents have no answer: it counts as incorrect and unparsed",
    ]
    assert replay("pixmini_vqa_open", documents, answers=answers)[:3] == ["Open.", "Closed.", ""]
    with pytest.raises(ValueError, match="expected answers=FILE.jsonl for the task pixmini_vqa_open, but got none"):
        replay("pixmini_vqa_open", documents, masks=str(tmp_path))


@pytest.mark.parametrize("task", ["pixmini_vqa_evidence", "pixmini_ground_lang_lite"])
def test_what_asks_several_times_is_not_replayed(task, tmp_path):
    answers = write_lines(tmp_path / "answers.jsonl", {"question_id": 1, "response": "a"})
    with pytest.raises(ValueError, match=f"one prompt per image, but got {task}"):
        replay(task, [document("1", "1.png")], answers=answers)


def test_answers_with_masks_need_no_folder(tmp_path, warnings):
    given = to_text(Response("There.", masks=(RIGHT,)))
    answers = write_lines(tmp_path / "answers.jsonl", {"question_id": 1, "answer": "", "response": given})
    documents = [document("1", "1.jpg"), document("2", "2.jpg")]
    assert replay("pixmmvp_ground", documents, answers=answers) == [given, ""]
    assert any("2 of 2 documents need grounding, but there is no masks=FOLDER" in message for message in warnings)
    with pytest.raises(ValueError, match="expected masks=FOLDER for the task pixmmvp_ground, but got none"):
        replay("pixmmvp_ground", documents)


def test_unreadable_masks_count_as_missing_and_are_named(tmp_path, warnings):
    write_mask(tmp_path / "1.png", LEFT)
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:50])
    (tmp_path / "3.png").mkdir()
    write_mask(tmp_path / "4_000_000.png", LEFT)
    (tmp_path / "4_000_001.png").write_text("no picture")
    (tmp_path / "4_001_000.png").write_text("no picture")
    documents = [document(str(number), f"{number}.jpg") for number in range(1, 5)]
    texts = replay("pixmmvp_ground", documents, masks=str(tmp_path), select="first")
    assert predictions(texts) == [LEFT, None, None, LEFT]
    missing, unreadable = warnings
    assert missing == "2 of 4 documents have no mask: it counts as unparsed"
    assert unreadable.startswith("4 masks cannot be read and count as missing, such as '2.png' (")
    assert all(f"'{name}'" in unreadable for name in ("3.png", "4_000_001.png", "4_001_000.png"))
    # A judge that chose what cannot be read: there is no prediction, and not another candidate in its place.
    judged = write_lines(tmp_path / "judged.jsonl", {"question_id": 3, "selected file": "4_000_001.png"})
    texts = replay("pixmmvp_ground", documents[3:], masks=str(tmp_path), select="judge", judged=judged)
    assert texts == [""]


def test_provenance_says_how_many_masks_there_were(tmp_path, warnings):
    write_mask(tmp_path / "1.png", LEFT, scale=3)
    write_mask(tmp_path / "9.png", LEFT)
    (text,) = replay("pixmmvp_ground", [document("1", "1.jpg")], masks=str(tmp_path), name="LISA")
    assert json.loads(text)["provenance"] == {
        "model": "LISA", "select": "similarity", "masks": str(tmp_path), "answers": None, "mask_files": 2,
    }  # fmt: skip
    assert predictions([text]) == [LEFT]
    assert warnings == ["1 of 1 documents have masks that differ in size from the image: they were resized"]
