"""The adapter on a stand-in of VLMEvalKit: its command, its scores beside lmms-eval's, and what is said of mistakes."""

from __future__ import annotations

import math

import pytest
from judges.chat_server import ChatServer, says
from vlmevalkit.host_runs import SETTINGS, TASKS, assert_equal_to_lmms_eval, on_standin, write_config
from vlmevalkit.odd_replies import GROUND, OPEN, VQA, odd_replies

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.runs.check.results import read_results
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.vlmevalkit.host import TESTED


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, own_cache):
    """The folder of a run of all three tasks, and what its command printed."""
    folder = tmp_path_factory.mktemp("whole")
    done = on_standin(folder, *write_config(folder, odd_replies()))
    assert done.returncode == 0, done.stderr
    return folder / "out", done.stdout.splitlines()


def task_metrics(folder):
    (found,) = read_results(folder)
    return {name: each.metrics for name, each in found.tasks.items()}


def test_scores_equal_those_of_lmms_eval_on_the_same_replies(whole_run, tmp_path, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    found = task_metrics(whole_run[0])
    for dataset, task in TASKS.items():
        assert_equal_to_lmms_eval(found[task], dataset, tmp_path)
    answering, grounding = found["pixmini_vqa"]["score,none"], found["pixmini_ground"]["score,none"]
    assert 0 < answering < 1 and 0.2 < grounding < 1
    harmonic = 2 * answering * grounding / (answering + grounding)
    assert found["pixmini"]["score,none"] == pytest.approx(harmonic, abs=1e-12)
    assert found["pixmini_paper"]["score,none"] >= harmonic


def test_the_model_is_freed_and_lmms_eval_is_never_imported(whole_run):
    _, lines = whole_run
    assert [line for line in lines if line.startswith("ALIVE")] == ["ALIVE False"] * 3
    assert [line for line in lines if line.startswith("IMPORTED")] == ["IMPORTED []"]


def test_a_run_is_read_as_one_of_lmms_eval(whole_run):
    (run,) = read_runs(whole_run[0])
    assert (run.model, run.benchmark, run.tasks) == ("reads", "pixmini", {"vqa", "open", "ground"})
    assert len(run.records) == get_benchmark("pixmini").document_count
    assert run.settings["model"] == "vlmevalkit" and run.settings["limit"] is None
    assert run.settings["versions"]["VLMEvalKit"] == "ms-vlmeval 0.0.20"
    assert "class=Reader" in run.settings["model_args"]
    record = run.records[1]
    assert record.ground.prompt.startswith("Locate the ") and record.vqa.prompt.count("\n") >= 3


def test_a_limited_run_is_partial(tmp_path):
    done = on_standin(tmp_path, *write_config(tmp_path, odd_replies(), VQA, GROUND), "--limit", "10")
    assert done.returncode == 0, done.stderr
    (found,) = read_results(tmp_path / "out")
    assert all(part.partial and part.documents == 10 for part in found.tasks["pixmini"].coverage)


def test_failed_requests_make_scores_nan_as_in_lmms_eval(tmp_path):
    replies = odd_replies()
    replies[VQA]["7"] = "Failed to obtain answer via API. "
    assert on_standin(tmp_path, *write_config(tmp_path, replies, VQA)).returncode == 0
    assert math.isnan(task_metrics(tmp_path / "out")["pixmini_vqa"]["accuracy,none"])


def test_replies_to_other_prompts_are_not_scored_again(tmp_path):
    options = write_config(tmp_path, odd_replies(), GROUND)
    assert on_standin(tmp_path, *options).returncode == 0
    done = on_standin(tmp_path, *options, PIXFOUND_KIND="point")
    assert done.returncode == 2
    assert "expected replies to the prompts of this run" in done.stderr and "another --work-dir" in done.stderr


def test_a_dataset_that_could_not_be_evaluated_is_a_failure(tmp_path):
    replies = odd_replies()
    del replies[GROUND]["9"]
    done = on_standin(tmp_path, *write_config(tmp_path, replies, VQA, GROUND))
    assert done.returncode == 1
    assert "pixfound-tasks: PixMini_Ground was not evaluated with reads" in done.stderr
    assert set(task_metrics(tmp_path / "out")) == {"pixmini_vqa"}


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        (None, ("--data", VQA, "--model", "reader"), f"expected VLMEvalKit (ms-vlmeval{TESTED}), but got "),
        ("0.1.0", ("--data", VQA, "--model", "reader"), f"expected ms-vlmeval{TESTED}, but got 0.1.0: pip install"),
        ("0.0.20", ("--data", "PixMini_VAQ", "--model", "reader"), "did you mean 'PixMini_VQA'?"),
        ("0.0.20", ("--data", "MMBench", "--model", "reader"), "others: python -m vlmeval"),
        ("0.0.20", ("--data", VQA, "--model", "readr"), "(did you mean reader?)"),
        ("0.0.20", ("--data", VQA), "expected datasets and models, such as --data PixMini_VQA"),
        ("0.0.20", ("--config", "none.json"), 'expected JSON like {"model"'),
        ("0.0.20", ("--data", VQA, "--model", "a/b", "--base-url", "http://x/v1"), "expected --api-mode for a model"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(tmp_path, version, arguments, expected):
    done = on_standin(tmp_path, *arguments, version=version)
    if version is None and done.returncode != 2:
        pytest.skip("VLMEvalKit is installed")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: ") and expected in line


def test_a_judge_on_a_server_needs_no_lmms_eval(tmp_path):
    with ChatServer(says("Yes.")) as server:
        options = [*write_config(tmp_path, odd_replies(), OPEN), "--limit", "8"]
        judge = {"PIXFOUND_JUDGE": "openai:m", "OPENAI_API_KEY": "any", "OPENAI_API_URL": server.url}
        done = on_standin(tmp_path, *options, PIXFOUND_CACHE=str(tmp_path / "cache"), **judge)
    assert done.returncode == 0 and "IMPORTED []" in done.stdout.splitlines()
    # The two empty answers are incorrect without a question.
    assert len(server.received) == 6 and task_metrics(tmp_path / "out")["pixmini_vqa_open"]["accuracy,none"] == 0.75


def test_a_finished_run_given_again_asks_nothing_and_changes_no_reply(tmp_path):
    options = write_config(tmp_path, odd_replies(), VQA)
    assert on_standin(tmp_path, *options).returncode == 0
    before = task_metrics(tmp_path / "out")["pixmini_vqa"]
    (tmp_path / "replies.json").write_text("{}")
    assert on_standin(tmp_path, *options).returncode == 0
    assert len(list((tmp_path / "out" / "reads").glob("*_results.json"))) == 2
    assert task_metrics(tmp_path / "out")["pixmini_vqa"] == before
