"""The adapter with VLMEvalKit itself, if it is installed: a local model and one on a server, by its own command."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest
from judges.chat_server import ChatServer, says
from running import evaluate, metrics
from vlmevalkit.host_runs import SETTINGS, TASKS, assert_equal_to_lmms_eval, on_real_host, write_config
from vlmevalkit.odd_replies import GROUND, VQA, odd_replies

from pixfound_tasks.runs.check.results import read_results

BOX = '{"bbox_2d": [100, 200, 700, 600]}'


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    try:
        version("ms-vlmeval")
    except PackageNotFoundError:
        pytest.skip("needs VLMEvalKit, see docs/harnesses.md")
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def test_a_local_model_is_scored_as_by_lmms_eval(tmp_path):
    done = on_real_host(tmp_path, *write_config(tmp_path, odd_replies()))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (found,) = read_results(tmp_path / "out")
    for dataset, task in TASKS.items():
        assert_equal_to_lmms_eval(found.tasks[task].metrics, dataset, tmp_path)
    assert "pixmini" in found.tasks
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("ALIVE")] == ["ALIVE False"] * 3
    assert "IMPORTED []" in lines


def says_by_prompt(handler):
    text = " ".join(part.get("text", "") for part in handler.body["messages"][-1]["content"])
    says("B" if "Options:" in text else BOX)(handler)


@pytest.mark.parametrize("mode", [(), ("--api-mode",)])
def test_a_model_on_a_server_is_scored_as_by_lmms_eval(tmp_path, mode, monkeypatch):
    with ChatServer(says_by_prompt) as server:
        options = ["--data", VQA, GROUND, "--model", "served", "--base-url", server.url, "--work-dir", "out"]
        done = on_real_host(tmp_path, *options, *mode)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        arguments = f"model_version=served,base_url={server.url},api_key=any"
        theirs = evaluate("openai", arguments, ["pixmini"])
    (found,) = read_results(tmp_path / "out")
    for task in ("pixmini_vqa", "pixmini_ground"):
        for name, value in metrics(theirs, task).items():
            if isinstance(value, float):
                assert found.tasks[task].metrics[f"{name},none"] == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert "pixmini" in found.tasks
