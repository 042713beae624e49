"""Options of lmms-eval beyond the usual ones, and what its results hold."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import huggingface_hub
import pytest
from running import command, evaluate
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import benchmarks, mini
from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.models.pixfound import PixFound
from pixfound_tasks.runs.run import RunError, read_runs

MINI = f"pretrained={mini.NAME}"


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.delenv("PIXFOUND_DATA", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def test_results_have_metrics_only():
    results = evaluate("pixfound", MINI, ["pixmini_vqa", "pixmini_ground", "pixmini_vqa_open", "pixmini_when"], limit=4)
    for task, values in results["results"].items():
        named = {key.partition(",")[0].partition("_stderr")[0] for key in values} - {"alias"}
        assert named == set(results["higher_is_better"][task])
        assert all(isinstance(value, (int, float, str)) for value in values.values())
    assert results["samples"]["pixmini_vqa_open"][0]["judgement"]["by"] == "rule"  # samples keep what they log


@pytest.mark.parametrize("model", ["pixfound", "pixfound_replay"])
def test_apply_chat_template_changes_nothing(model, tmp_path):
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps({"question_id": n, "response": "A"}) + "\n" for n in range(1, 5)))
    arguments = MINI if model == "pixfound" else f"answers={answers}"
    plain, chat = (
        evaluate(model, arguments, ["pixmini_vqa"], limit=4, apply_chat_template=is_chat)["samples"]["pixmini_vqa"]
        for is_chat in (False, True)
    )
    for name in ("filtered_resps", "accuracy"):
        assert [sample[name] for sample in chat] == [sample[name] for sample in plain]


@pytest.mark.parametrize("model", ["pixfound", "pixfound_replay"])
def test_the_command_takes_a_chat_template_and_an_automatic_batch_size(model, tmp_path):
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"question_id": 1, "response": "A"}\n')
    done = command(
        "lmms-eval", "--model", model, "--model_args", MINI if model == "pixfound" else f"answers={answers}",
        "--tasks", "pixmini_vqa", "--limit", 1, "--batch_size", "auto", "--apply_chat_template", "--predict_only",
        "--log_samples", "--output_path", tmp_path / "run",
    )  # fmt: skip
    (samples,) = (tmp_path / "run").rglob("*_samples_pixmini_vqa.jsonl")
    assert json.loads(samples.read_text())["input"].startswith("Does the yellow house have a chimney?"), done.stderr
    with pytest.raises(
        RunError, match=r"^expected scores in .*, but lmms-eval ran with --predict_only, .*run it again"
    ):
        read_runs(samples.parent)


@pytest.mark.parametrize(("given", "size"), [("auto", 1), ("auto:4", 1), ("3", 3)])
def test_batch_sizes(given, size):
    assert PixFound(batch_size=given).batch_size == size


def test_missing_data_ends_the_command_with_one_line(offline, monkeypatch, warnings):
    monkeypatch.setitem(sys.modules, "lmms_eval.__main__", ModuleType("lmms_eval.__main__"))
    for name in ("pixmmvp", "pixcvbench"):
        with pytest.raises(SystemExit) as caught:
            getattr(benchmarks, name.upper())
        line = str(caught.value)
        assert line.startswith(f"pixfound-tasks: expected data set IVUlab/{name} ") and "\n" not in line
        assert "Set PIXFOUND_DATA to a folder that holds it, run `pixfound data fetch" in line
    assert warnings == []  # it is not said twice
    monkeypatch.delitem(sys.modules, "lmms_eval.__main__")
    with pytest.raises(DataError):
        _ = benchmarks.PIXMMVP


def test_the_command_says_which_data_is_missing(monkeypatch, tmp_path):
    (tmp_path / "PixMMVP").mkdir()  # empty, as after an interrupted copy
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path))
    done = command("lmms-eval", "--model", "pixfound", "--tasks", "pixfoundation", "--limit", 1)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert line.startswith("pixfound-tasks: expected a ") and "run `pixfound data fetch pix" in line


@pytest.fixture(scope="module")
def thinking(tmp_path_factory):
    """The embedded model with a chat template that reads `enable_thinking`."""
    folder = tmp_path_factory.mktemp("thinking")
    AutoModelForImageTextToText.from_pretrained(mini.weights_folder(), dtype="float32").save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(mini.weights_folder())
    processor.chat_template += "{% if enable_thinking is defined and enable_thinking %} red{% endif %}"
    processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("given", "value"), [("true", True), ("False", False)])
def test_enable_thinking_reaches_the_template_and_the_provenance(thinking, given, value, monkeypatch):
    prompts = []
    model = PixFound(str(thinking), segmenter="region", phrases="rules", enable_thinking=given)
    decode = model.lens.processor.tokenizer.decode
    monkeypatch.setattr(
        type(model.lens.model), "generate", lambda self, input_ids, **_: prompts.append(input_ids) or input_ids
    )
    model.lens.answer_all([mini_image()], ["Is it?"])
    assert decode(prompts[0][0]).endswith("red") is value
    assert model.grounder.provenance["enable_thinking"] is value


def test_enable_thinking_is_an_error_if_the_template_does_not_read_it():
    for value in (True, False):
        with pytest.raises(ValueError, match="expected a model whose chat template reads enable_thinking, but the pro"):
            PixFound(enable_thinking=value)
    with pytest.raises(ValueError, match="expected enable_thinking to be true or false, but got 'maybe'"):
        PixFound(enable_thinking="maybe")
    assert "enable_thinking" not in PixFound().grounder.provenance


def mini_image():
    return benchmarks.load("pixmini")["test"][0]["image"]
