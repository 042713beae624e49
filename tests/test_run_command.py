"""`pixfound run`: the exit status, what is said, and what is not; and the status of lmms-eval's own command."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import command, environment
from tqdm import tqdm

from pixfound_tasks import __version__
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.cli import evaluation
from pixfound_tasks.hosts import progress_bars
from pixfound_tasks.hosts.command import CommandEnded, error_line

MINI = ("--model", "pixfound", "--model_args", "pretrained=pixfound/mini")


@pytest.fixture
def evaluate(monkeypatch, capfd):
    """`pixfound run` in this process: its exit status, standard output and error."""
    from lmms_eval.tasks import TaskManager

    original = TaskManager.__init__
    monkeypatch.setattr(
        TaskManager, "__init__", lambda self, *a, **o: original(self, *a, **{**o, "include_defaults": False})
    )

    def run(*arguments):
        status = evaluation.evaluate([*map(str, arguments)])
        return status, *capfd.readouterr()

    yield run
    sys.modules.pop("lmms_eval.__main__", None)  # by which this package knows that lmms-eval's command runs


def test_a_run_says_its_results_and_what_is_next(evaluate, tmp_path):
    status, out, err = evaluate(*MINI, "--tasks", "pixmini", "--limit", 4, "--log_samples", "--output_path", tmp_path)
    assert status == 0
    rows = [line.split() for line in out.splitlines()]
    # Of the first two pairs, the one that asks for a thing is answered correctly, the one that asks for a part is not.
    count = str(get_benchmark("pixmini").document_count)
    assert ["pixmini_vqa", "score", "0.5000", "4", "of", count] in rows
    table, _, steps = out.partition("Next\n")
    assert max(map(len, table.splitlines())) <= 80
    assert [line.strip() for line in steps.splitlines()][1] == f"pixfound report {tmp_path}"
    assert "8 requests" in err.splitlines() and "it/s" not in err + out and "INFO" not in err + out
    assert "LMMs-Eval" not in out  # its banner and tables


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*MINI, "--tasks", "pixmmvp_vqa"), "expected a folder PixMMVP in PIXFOUND_DATA="),
        ((*MINI, "--tasks", "pixmini_vqq"), "did you mean 'pixmini_vqa'?"),
        (MINI, "expected --tasks TASK,..., but got none"),
        (("--model", "pixfund", "--tasks", "pixmini_vqa"), "did you mean 'pixfound'?"),
        ((*MINI, "--config", "/no/such/file.yaml"), "Config file does not exist"),
    ],
)
def test_what_cannot_start_ends_with_one_line_and_2(evaluate, monkeypatch, tmp_path, arguments, said):
    monkeypatch.setenv("PIXFOUND_DATA", str(tmp_path))
    status, out, err = evaluate(*arguments)
    [line] = err.strip().splitlines()
    assert status == 2 and line.startswith("Error: ") and said in line and out == ""


def test_a_setting_that_means_nothing_is_named(evaluate, monkeypatch):
    monkeypatch.setenv("PIXFOUND_JUDGE", "nobody")
    status, _, err = evaluate(*MINI, "--tasks", "pixmini_vqa")
    assert status == 2 and err.startswith("Error: expected PIXFOUND_JUDGE ") and "'nobody'" in err


def test_a_failed_evaluation_ends_with_one_line_and_1(evaluate, tmp_path):
    arguments = (
        "--model",
        "pixfound_replay",
        "--model_args",
        f"masks={tmp_path / 'none'}",
        "--tasks",
        "pixmini_ground",
    )
    status, _, err = evaluate(*arguments)
    assert status == 1 and "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("Error: expected ") and "--verbosity DEBUG" in err


def test_a_process_with_peers_ends_instead_of_waiting_for_them(evaluate, tmp_path):
    from torch import distributed

    distributed.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{tmp_path / 'peers'}")
    try:
        arguments = ("--model", "pixfound_replay", "--model_args", f"masks={tmp_path / 'none'}")
        status, _, err = evaluate(*arguments, "--tasks", "pixmini_ground")
    finally:
        distributed.destroy_process_group()
    assert status == 1 and err.strip().splitlines()[-1].startswith("Error: expected ")


def test_tasks_without_a_score_fail():
    results = {"configs": {"a": {}, "b": {}}, "results": {"a": {"score,none": 0.5}, "b": {"score,none": float("nan")}}}
    assert evaluation.without_results(results) == ["b"]


def test_the_list_of_tasks_is_shown(evaluate):
    status, out, err = evaluate("--tasks", "list_groups")
    assert status == 0 and "pixmini_paper" in out + err


def test_an_interruption_ends_with_130():
    program = Path(sys.executable).with_name("pixfound")
    # A shell's background jobs, such as a CI's, start with interruptions ignored.
    running = subprocess.Popen(
        [program, "run", *MINI, "--tasks", "pixmini_ground"], stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert running.stderr is not None
    for line in running.stderr:
        if "requests" in line:
            running.send_signal(signal.SIGINT)
            break
    rest = running.stderr.read()
    assert running.wait() == 130 and "interrupted" in rest and "Traceback" not in rest


def test_the_hosts_command_fails_if_the_evaluation_fails(tmp_path):
    masks = tmp_path / "none"
    done = command(
        "lmms-eval", "--model", "pixfound_replay", "--model_args", f"masks={masks}", "--tasks", "pixmini_ground"
    )
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("pixfound-tasks: the evaluation failed: expected ")


def test_the_package_is_the_command():
    done = subprocess.run([sys.executable, "-m", "pixfound_tasks", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == f"pixfound-tasks {__version__}\n"


def test_versions_are_recorded_whatever_the_model(evaluate, tmp_path):
    from importlib.metadata import version

    from pixfound_tasks.runs.provenance import as_texts, provenance
    from pixfound_tasks.runs.run import read_runs

    (tmp_path / "answers.jsonl").write_text('{"question_id": 1, "answer": "A", "gt_answer": "(a)"}\n')
    arguments = ("--model", "pixfound_replay", "--model_args", f"answers={tmp_path / 'answers.jsonl'},name=theirs")
    out = tmp_path / "out"
    evaluate(*arguments, "--tasks", "pixmini_vqa", "--limit", 1, "--log_samples", "--output_path", out)
    texts = as_texts(provenance(read_runs(out)[0]))
    assert texts["responses"]["versions"] == f"pixfound-tasks {__version__}, lmms-eval {version('lmms_eval')}"
    assert "@" not in str(texts["lmms_eval_version"])


def test_only_the_bar_of_requests_is_told():
    said, shown, before = [], io.StringIO(), vars(tqdm)["__init__"]
    with progress_bars.only_requests_shown(said.append):
        assert list(tqdm(range(3), desc="Postprocessing", file=shown)) == [0, 1, 2]
        with tqdm(total=2000, desc="Model Responding", mininterval=0) as bar:
            bar.start_t -= 100  # as if the first ten had taken that long
            bar.update(10)
            bar.start_t -= 19_900
            bar.update(1990)
    assert shown.getvalue() == ""
    assert said[0] == "2,000 requests"
    assert said[1].startswith("10 of 2,000 answered; about 5 h 3") and said[1].endswith(" min left")
    assert said[2].startswith("all 2,000 answered in 5 h 33 min") and len(said) == 3
    assert vars(tqdm)["__init__"] is before


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (7500, "2 h 5 min"), (90_000, "25 h 0 min")]
)
def test_durations(seconds, text):
    assert progress_bars.duration(seconds) == text


def test_errors_are_lines():
    assert error_line(ValueError("expected a,\n  but got b")) == "expected a, but got b"
    assert error_line(KeyError("b")) == "KeyError: 'b'" and error_line(KeyError()) == "KeyError"
    assert error_line(CommandEnded("pixfound-tasks: no data", 2)) == "no data"
