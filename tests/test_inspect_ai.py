"""Our tasks in inspect_ai, if it is installed: its own command on a server, its metrics, and its logs as a run."""

from __future__ import annotations

import importlib.util

import pytest
from judges.chat_server import ChatServer, says
from running import evaluate, metrics

from pixfound_tasks.runs.check.results import read_results

pytestmark = pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="needs pip install inspect-ai")
BOX = '{"bbox_2d": [100, 200, 700, 600]}'


def says_by_prompt(handler):
    text = " ".join(part.get("text", "") for part in handler.body["messages"][-1]["content"])
    says("B" if "Options:" in text else BOX)(handler)


@pytest.fixture
def server(monkeypatch):
    with ChatServer(says_by_prompt) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("PIXFOUND_COORDINATES", "thousand")
        yield server


def test_metrics_equal_those_of_lmms_eval_and_logs_become_a_run(server, tmp_path):
    from inspect_ai import eval as evaluate_by_inspect

    from pixfound_tasks import inspect_ai_tasks

    names = ("pixmini_vqa", "pixmini_ground")
    tasks = [getattr(inspect_ai_tasks, name)() for name in names]
    logs = evaluate_by_inspect(
        tasks, model="openai-api/openai/served", log_dir=str(tmp_path / "logs"), display="none", max_tasks=1
    )
    theirs = evaluate("openai", f"model_version=served,base_url={server.url},api_key=any", ["pixmini"])
    files = sorted((tmp_path / "logs").glob("*.eval"))
    inspect_ai_tasks.write_run(files, tmp_path / "run")
    (found,) = read_results(tmp_path / "run")
    for log in logs:
        assert log.status == "success" and log.results is not None
        name = log.eval.task.rpartition("/")[2]
        ours = {each: metric.value for score in log.results.scores for each, metric in score.metrics.items()}
        compared = [each for each, value in metrics(theirs, name).items() if isinstance(value, float)]
        assert len(compared) >= 5
        for each in compared:
            expected = pytest.approx(metrics(theirs, name)[each], abs=1e-12, nan_ok=True)
            assert ours[each] == expected and found.tasks[name].metrics[f"{each},none"] == expected
    assert found.model == "openai-api/openai/served" and "pixmini" in found.tasks


def test_the_log_of_another_task_is_refused(tmp_path):
    from inspect_ai import Task
    from inspect_ai import eval as evaluate_by_inspect
    from inspect_ai.dataset import Sample

    from pixfound_tasks.inspect_ai_tasks import write_run

    evaluate_by_inspect(
        Task([Sample("Hello")], name="other"), model="mockllm/model", log_dir=str(tmp_path), display="none"
    )
    with pytest.raises(ValueError, match="expected a finished log of a task of pixfound-tasks"):
        write_run(list(tmp_path.glob("*.eval")), tmp_path / "run")
