"""Answers, judges' choices and lists of phrases as files."""

from __future__ import annotations

import pytest

from pixfound_tasks.models import replay_files
from pixfound_tasks.models.replay_files import image_key, read_answers, read_judged, read_phrases


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("7", 7), ("00007", 7), ("output00007", 7), ("0", 0),
        ("000000001296", "000000001296"),  # twelve digits: a file of COCO, not image 1296
        ("ADE_val_00000248", "ADE_val_00000248"), ("output", "output"), ("-7", "-7"),
        ("\u0667", "\u0667"), ("\u00b2", "\u00b2"),  # an Arabic seven, a superscript two
    ],
)  # fmt: skip
def test_image_keys(name, key):
    assert image_key(name) == key


def test_answers_of_either_form(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(
        '{"question_id": 1, "prompt": "?", "answer": "B", "gt_answer": "(a)", "text_options": ["x", "y"]}\n\n'
        '{"question_id": "2", "prompt": "?", "answer": "(a)", "response": "It is \u2028 open."}\r\n'
        '{"questionId": 0, "answer": null, "gt_answer": "(A)"}\n'
        '{"question_id": "../../coco/000000001296.jpg", "answer": "(A)", "response": {"masks": []}}',
        encoding="utf-8-sig",
    )
    assert read_answers(path) == {1: "B", 2: "It is \u2028 open.", 0: "", "000000001296": '{"masks": []}'}


@pytest.mark.parametrize(
    ("read", "line", "expected"),
    [
        (read_answers, '{"question_id": 1}', "expected question_id with answer .*, or with response in line 1"),
        (read_answers, '{"question_id": null, "response": "x"}', "expected question_id .* in line 1"),
        (read_answers, '{"question_id": true, "response": "x"}', "expected question_id .* in line 1"),
        (read_answers, "[" * 100_000, "expected question_id .* in line 1"),
        (read_judged, '{"question_id": 0, "selected file": "x.png"}', "such as 1_004_002.png, 1.png or NONE in line 1"),
        (read_judged, '{"question_id": 0, "selected file": 7}', "such as 1_004_002.png, 1.png or NONE in line 1"),
        (read_phrases, "1.jpg - 0 - wings", "expected '7.jpg - 0 - orange wings"),
        (read_phrases, "1.jpg - 0 - wings| wings| 0.5 | 1", "expected '7.jpg - 0 - orange wings"),
    ],
)  # fmt: skip
def test_unreadable_lines_are_named(tmp_path, read, line, expected):
    path = tmp_path / "file"
    path.write_text(line)
    with pytest.raises(ValueError, match=expected):
        read(path)


@pytest.mark.parametrize(
    ("read", "lines", "twice"),
    [
        (read_answers, ('{"question_id": 7, "response": "x"}', '{"question_id": "00007.jpg", "response": "x"}'), "7"),
        (read_judged, ('{"question_id": 0, "selected file": "NONE"}',) * 2, "0"),
        (read_phrases, ("7.jpg - 1 - a| a| 0.1", "7.jpg - 1 - b| b| 0.2"), r"\(7, 1\)"),
    ],
)
def test_what_is_said_twice_is_an_error(tmp_path, read, lines, twice):
    path = tmp_path / "file"
    path.write_text(f"{lines[0]}\n\n{lines[1]}\n")
    with pytest.raises(ValueError, match=f"expected {twice} once in .*, but got it in lines 1 and 3; drop one"):
        read(path)


def test_lines_are_bounded_and_text(tmp_path, monkeypatch):
    monkeypatch.setattr(replay_files, "_LONGEST_LINE", 40)
    path = tmp_path / "answers.jsonl"
    record = '{"question_id": 1, "response": "12345678"}'  # 42 characters
    path.write_text(f"\n{record}")
    with pytest.raises(ValueError, match="expected at most 40 characters a line, but line 2 of .* has more"):
        read_answers(path)
    path.write_text(record.replace("12345678", "12345"))  # 39, and the line feed the fortieth
    assert read_answers(path) == {1: "12345"}
    path.write_bytes(b'{"question_id": 1, "response": "\xff"}')
    with pytest.raises(ValueError, match="expected UTF-8 in .*, but got other bytes at or after line 1"):
        read_answers(path)


def test_phrases_of_numbers_and_file_names(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("7.jpg - 0 - a - b| b| nan\nADE_val_00000248.jpg - 2 - c| c| 0.5 | 3 | 9| d | e\n")
    found = read_phrases(path)
    assert (found[7][0].text, found[7][0].similarity, found[7][0].chars) == ("a - b", None, None)
    line = found["ADE_val_00000248"][2]
    assert (line.chars, line.answer, line.similarity) == ((3, 9), "d | e", 0.5)
