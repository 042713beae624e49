"""What an installed package gives lmms-eval, each seen from a fresh process, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lmms_eval.utils import load_yaml_config
from running import command, environment

from pixfound_tasks import plugin
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.hosts import patches
from pixfound_tasks.task_files import task_files

BENCHMARKS = ("pixmmvp", "pixcvbench", "pixmini")
# Names and metrics are public; the first metric is the score.
METRICS = {
    "vqa": ["score", "pair_accuracy", "accuracy", "lenient_accuracy", "unparsed"],
    "vqa_open": ["score", "pair_accuracy", "accuracy", "unjudged", "miou"],
    "when": ["oracle_miou", "chance_miou", "exact_phrase_rate", "median_location"],
    "vqa_evidence": ["score", "flip_evidence", "flip_control", "accuracy"],
    "ground": ["score", "miou", "ciou", "precision_50", "absent_accuracy", "oracle_miou", "unparsed"],
}
TASKS = [f"{benchmark}_{task}" for benchmark in BENCHMARKS for task in METRICS]
GROUPS = [f"{benchmark}{kind}" for benchmark in BENCHMARKS for kind in ("", "_paper")]


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    ).stdout


def test_models_and_tasks_are_found_in_a_fresh_process():
    printed = python(
        "from lmms_eval import models\n"
        "from lmms_eval.tasks import TaskManager\n"
        "for name in ('pixfound', 'pixfound_pixel', 'pixfound_replay'): print(models.get_model(name).__name__)\n"
        "print(*TaskManager().all_tasks)\n"
    )
    lines = printed.strip().splitlines()
    assert lines[-4:-1] == ["PixFound", "PixFoundPixel", "PixFoundReplay"]
    assert {*TASKS, *GROUPS, "pixfoundation"} <= set(lines[-1].split())


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.parametrize("task", METRICS)
def test_every_task_has_its_metrics(benchmark, task):
    config = load_yaml_config(plugin.task_folder() / benchmark / f"{benchmark}_{task}.yaml", mode="simple")
    expected = [name for name in METRICS[task] if benchmark != "pixcvbench" or name != "pair_accuracy"]
    expected += ["source_mean"] * (benchmark == "pixcvbench" and task in ("vqa", "ground"))
    assert [metric["metric"] for metric in config["metric_list"]] == expected
    assert (config["task"], config["tag"]) == (f"{benchmark}_{task}", "pixfoundation")


def test_the_task_yamls_are_those_that_the_table_gives():
    written = {path.name: path.read_text() for path in plugin.task_folder().rglob("*.yaml")}
    tables = [task_files(get_benchmark(name)) for name in BENCHMARKS]
    assert written == {name: text for table in tables for name, text in table.items()}, (
        "run: python task_yamls/_generate.py"
    )


def test_adding_the_task_folder_twice_changes_nothing():
    from lmms_eval.tasks import TaskManager

    patches.add_task_folders(plugin.task_folders, plugin.is_ours)
    wrapped = TaskManager.initialize_tasks
    patches.add_task_folders(plugin.task_folders, plugin.is_ours)
    assert TaskManager.initialize_tasks is wrapped


def test_a_users_own_include_path_is_kept(tmp_path):
    from lmms_eval.tasks import TaskManager

    patches.add_task_folders(plugin.task_folders, plugin.is_ours)
    (tmp_path / "own.yaml").write_text("task: my_own_task\n")
    for include_path in (str(tmp_path), [str(tmp_path)]):
        assert {"my_own_task", *TASKS} <= set(TaskManager(include_path=include_path, include_defaults=False).all_tasks)


@pytest.mark.parametrize("module", ["pixfound_tasks", "pixfound_tasks.plugin", "pixfound_tasks.cli.app"])
def test_importing_stays_light(module):
    printed = python(
        f"import {module}, sys; print([name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    assert printed.strip() == "[]"


def test_public_names_are_imported_when_asked_for():
    assert python("import pixfound_tasks; print(pixfound_tasks.Lens.__name__)").strip() == "Lens"
    with pytest.raises(AttributeError, match="no attribute 'lens'"):
        import pixfound_tasks

        _ = pixfound_tasks.lens


def test_the_command_prints_the_folder_of_the_tasks():
    printed = command("pixfound", "tasks-path")
    assert printed.returncode == 0
    assert printed.stdout.strip() == str(plugin.task_folder())
