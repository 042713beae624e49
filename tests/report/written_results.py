"""Results of a run written by hand, as lmms-eval writes them, and the command that checks them."""

import json

from typer.testing import CliRunner

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.cli import app as command
from pixfound_tasks.runs.check.verdicts import STATUSES

DATE = "20260102_030405"
DOCUMENTS = get_benchmark("pixmini").document_count
COUNTS = {"original": DOCUMENTS, "effective": DOCUMENTS}


def results(scores, limit=None, counts=None, offset=0, name="maker/model", **config):
    """A group `pixmini` of two tasks where it is among the scores, each a task's metrics by name."""
    groups = {"pixmini": ["pixmini_vqa", "pixmini_ground"]} if "pixmini" in scores else {}
    return {
        "results": {
            task: {"alias": task} | {f"{metric},none": value for metric, value in metrics.items()}
            for task, metrics in scores.items()
        },
        "group_subtasks": groups,
        "n-samples": {task: (counts or {}).get(task, COUNTS) for task in scores if task not in groups},
        "config": {"model": "pixfound", "model_args": "", "limit": limit, "offset": offset, **config},
        "model_name": name,
    }


SCORES = {
    "pixmini": {"score": 0.5, "score_stderr": "N/A"},
    "pixmini_vqa": {"score": 0.4, "unparsed": 0.0, "accuracy": 0.1 + 0.2},
    "pixmini_ground": {"score": 2 / 3, "absent_accuracy": float("nan")},
}


def write(run, content, model="maker__model", date=DATE):
    (run / model).mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (run / model / f"{date}_results.json").write_text(text, encoding="utf-8")


def invoke(run, *requirements, options=()):
    arguments = [part for each in requirements for part in ("--require", each)]
    return CliRunner().invoke(command.app, ["check", str(run), *arguments, *options])


def verdicts(run, *requirements, options=()):
    done = invoke(run, *requirements, options=["--json", *options])
    found = json.loads(done.stdout)
    assert done.exit_code == (0 if found["passed"] else 1)
    assert all(each["status"] in STATUSES for each in found["requirements"])
    return found["requirements"]


def failure(run, requirement, options=()):
    """The status of the one requirement, and its line."""
    (found,) = verdicts(run, requirement, options=options)
    done = invoke(run, requirement, options=options)
    (line,) = done.stdout.splitlines()
    assert done.exit_code == 1 and line.startswith("FAIL  ") and not found["passed"]
    return found["status"], line
