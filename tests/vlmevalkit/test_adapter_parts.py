"""The adapter's parts that need no VLMEvalKit: names, conventions of models, tables of replies, logs."""

from __future__ import annotations

import json
from functools import partial

import pytest
from openpyxl import Workbook
from vlmevalkit.odd_replies import VQA, odd_replies

from pixfound_tasks.runs.check.results import read_results
from pixfound_tasks.runs.writing import RunSettings, TaskLog, write_task
from pixfound_tasks.vlmevalkit.models import declared_of, find_model
from pixfound_tasks.vlmevalkit.names import expand, tasks_by_dataset
from pixfound_tasks.vlmevalkit.predictions import PredictionError, read_predictions


def test_every_benchmark_has_three_datasets():
    assert {name: task.name for name, task in tasks_by_dataset().items() if task.benchmark.name == "pixcvbench"} == {
        "PixCV-Bench_VQA": "pixcvbench_vqa",
        "PixCV-Bench_VQA_Open": "pixcvbench_vqa_open",
        "PixCV-Bench_Ground": "pixcvbench_ground",
    }
    assert {"PixMMVP_VQA", "PixMini_Ground"} <= tasks_by_dataset().keys()


def test_a_benchmarks_name_stands_for_the_tasks_of_its_group():
    assert expand(["PixMini", "PixMini_VQA"]) == ["PixMini_VQA", "PixMini_Ground"]
    assert expand(["PixMini_Paper"]) == ["PixMini_VQA_Open", "PixMini_VQA", "PixMini_Ground"]


class Qwen2VLChat: ...


class Qwen3VLChat: ...


class SomeChat: ...


@pytest.mark.parametrize(
    ("made_by", "coordinates"),
    [
        (partial(Qwen3VLChat, model_path="Qwen/Qwen3-VL-8B-Instruct"), "thousand"),
        (partial(Qwen2VLChat, model_path="Qwen/Qwen2-VL-7B-Instruct"), "thousand"),
        (
            partial(Qwen2VLChat, model_path="Qwen/Qwen2.5-VL-7B", min_pixels=1003520, max_pixels=12845056),
            "resized:28:1003520:12845056",
        ),
        (partial(Qwen2VLChat, model_path="Qwen/Qwen2.5-VL-7B"), "resized:28:3136:12845056"),
        (partial(Qwen2VLChat, model_path="mine/other"), None),
        (partial(SomeChat, model_path="x"), None),
        (None, None),
    ],
)
def test_the_convention_is_that_of_the_class_and_the_checkpoint(made_by, coordinates):
    assert declared_of(find_model("name", made_by)).get("coordinates") == coordinates


def test_a_models_arguments_hold_no_secret():
    model = find_model("m", partial(SomeChat, model="gpt", key="sk-secret", api_base="http://x/v1"))
    assert model.as_text == "class=SomeChat,checkpoint=gpt,url=http://x/v1"


def test_a_spreadsheet_gives_replies_as_they_are_but_for_line_ends(tmp_path):
    replies = {name: reply for name, reply in odd_replies()[VQA].items() if "\r" not in reply}
    book = Workbook()
    book.active.append(["index", "question", "prediction"])
    for name, reply in replies.items():
        book.active.append([int(name), "?", reply])
    book.save(tmp_path / "m_PixMini_VQA.xlsx")
    assert read_predictions(tmp_path / "m_PixMini_VQA.xlsx") == replies


def test_a_cut_reply_is_an_error(tmp_path):
    book = Workbook()
    book.active.append(["index", "prediction"])
    book.active.append([1, "x" * 32767])
    book.save(tmp_path / "m.xlsx")
    with pytest.raises(PredictionError, match="PRED_FORMAT=tsv"):
        read_predictions(tmp_path / "m.xlsx")


@pytest.mark.parametrize("content", ["", '"index"\n"1"\n', "\x00\xff", '"index"\t"prediction"\n"1"\n"unclosed'])
def test_what_is_no_table_of_replies_is_an_error(tmp_path, content):
    file = tmp_path / "m.tsv"
    file.write_bytes(content.encode("latin-1"))
    if content.endswith("unclosed"):
        assert read_predictions(file) == {"1": "", "unclosed": ""}
        return
    with pytest.raises(PredictionError):
        read_predictions(file)


def test_json_and_failures(tmp_path):
    file = tmp_path / "m.json"
    rows = [{"index": 1, "prediction": "Failed to obtain answer via API. x"}, {"index": 2, "prediction": None}]
    file.write_text(json.dumps(rows))
    assert read_predictions(file) == {"1": None, "2": ""}
    with pytest.raises(PredictionError, match="no such file"):
        read_predictions(tmp_path / "none.tsv")
    with pytest.raises(PredictionError, match="set PRED_FORMAT=tsv"):
        read_predictions(tmp_path / "x.pkl")


def test_logs_of_the_same_second_do_not_replace_each_other(tmp_path):
    for value in (0.25, 0.5):
        log = TaskLog("pixmini_vqa", [{"doc_id": 0}], {"score": value}, 120)
        write_task(tmp_path / "m", log, RunSettings("m", "x"))
    assert len(list((tmp_path / "m").glob("*_results.json"))) == 2
    (found,) = read_results(tmp_path)
    assert found.tasks["pixmini_vqa"].metrics["score,none"] == 0.5
    assert not found.tasks["pixmini_vqa"].failed
