"""Folders of predictions that mean harm: nothing outside them is read, and every document has its sample in the log."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.test_replay import LEFT, RIGHT, document, predictions, replay, write_lines, write_mask
from untrusted import broken

from pixfound_tasks.models.replay_files import read_answers, read_judged, read_phrases, read_points

DOCUMENTS = [document("1", "1.jpg"), document("2", "2.jpg")]


def test_halves_of_surrogate_pairs_do_not_cut_the_log_short(tmp_path):
    """lmms-eval's log of samples is UTF-8, and ends with a warning before the first sample that is not."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text(
        '{"question_id": 1, "response": "\\ud800 open"}\n{"question_id": 2, "response": {"text": "\\udfff"}}\n'
    )
    first, second = replay("pixmini_vqa_open", DOCUMENTS, answers=str(answers))
    assert first == "\ufffd open"
    assert second.encode() == b'{"text": "\\udfff"}'  # in JSON they are escaped, and are harmless


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (read_judged, '{"question_id": Infinity, "selected file": "NONE"}'),
        (read_judged, '{"question_id": NaN, "selected file": "NONE"}'),
        (read_judged, '{"question_id": 0, "selected file": "1_' + "9" * 5000 + '_0.png"}'),
        (read_phrases, "7.jpg - 0 - a| a| 0.5 | 9 | 3| There is a thing."),
        (read_phrases, "7.jpg - 0 - a| a| 0.5 | -1 | 3| There is a thing."),
        (read_phrases, f"7.jpg - 0 - a| a| 0.5 | 1 | {10**30}| There is a thing."),
        (read_phrases, f"7.jpg - {'9' * 5000} - a| a| 0.5"),
        (read_points, f"7.jpg | a | [{'9' * 5000} 0]"),
        (read_points, "7.jpg | a | [-1 0]"),
        (read_points, "7.jpg | a | [nan 0]"),
    ],
)
def test_impossible_numbers_are_named(tmp_path, read, line):
    """A range the wrong way round would make the whole phrase unreadable when it is scored, masks and all."""
    path = tmp_path / "file"
    path.write_text(line)
    with pytest.raises(ValueError, match=f"expected .* in line 1 of {path}, but got "):
        read(path)


LINES = [
    {"question_id": 1, "answer": "B", "gt_answer": "(a)"},
    {"question_id": "a/7.jpg", "response": {"masks": [LEFT]}},
    {"question_id": 0, "selected file": "1_004_002.png"},
]


@settings(max_examples=150)
@given(st.sampled_from(LINES).flatmap(broken).map(json.dumps) | st.text(max_size=30))
def test_any_line_is_read_or_named(tmp_path_factory, line):
    path = tmp_path_factory.getbasetemp() / "line"
    path.write_text(line, encoding="utf-8", errors="replace")
    for read in (read_answers, read_judged, read_phrases, read_points):
        try:
            found = read(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            json.dumps(list(found.values()), ensure_ascii=False).encode()


def test_names_that_lead_out_of_the_folder_are_names_and_not_paths(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "masks"
    outside.mkdir()
    folder.mkdir()
    for name in ("3", "3_000_000", "1_000_009"):
        write_mask(outside / f"{name}.png", RIGHT)
    write_mask(folder / "1_000_000.png", LEFT)
    # A document, too, may be called anything.
    strangers = [document("../outside/3", "../outside/3.jpg"), document(str(outside / "3"), str(outside / "3.jpg"))]
    assert predictions(replay("pixmmvp_ground", strangers, masks=str(folder))) == [None, None]
    judged = write_lines(
        tmp_path / "judged.jsonl", {"question_id": 0, "selected file": "../outside/1_000_009.png"},
        {"question_id": 1, "selected file": "NONE"},
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"expected the judge to choose a candidate of image 1, but \(0, 9\) is not"):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(folder), select="judge", judged=judged)
    answers = write_lines(
        tmp_path / "answers.jsonl", {"question_id": "../../../etc/passwd", "response": "x"},
        {"question_id": "C:\\1", "response": "y"}, {"question_id": "\0/1", "response": "z"},
    )  # fmt: skip
    assert read_answers(tmp_path / "answers.jsonl") == {"passwd": "x", "C:\\1": "y", 1: "z"}
    assert replay("pixmini_vqa", strangers, answers=answers) == ["", ""]


def test_folders_within_and_links_to_folders_are_not_searched(tmp_path):
    folder = tmp_path / "masks"
    (folder / "deeper").mkdir(parents=True)
    write_mask(folder / "1.png", LEFT)
    write_mask(folder / "deeper" / "2.png", RIGHT)
    (tmp_path / "outside").mkdir()
    write_mask(tmp_path / "outside" / "2.png", RIGHT)
    (folder / "linked").symlink_to(tmp_path / "outside")
    assert predictions(replay("pixmmvp_ground", DOCUMENTS, masks=str(folder))) == [LEFT, None]
    (folder / "2.png").symlink_to(folder / "linked" / "2.png")  # by way of a link within the folder
    with pytest.raises(ValueError, match="'2.png' is a link out of it"):
        replay("pixmmvp_ground", DOCUMENTS, masks=str(folder))
