"""What lmms-eval loads: the models of this package, and the folders of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.hosts.patches import add_task_folders, resume_killed_runs

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

MODELS = {"pixfound": "pixfound.PixFound", "pixfound_replay": "replay.PixFoundReplay"}
_HERE = Path(__file__).parent


def task_folder() -> Path:
    """The folder of the task YAMLs: in an installed package, or beside it in a source checkout."""
    installed = _HERE / "task_yamls"
    return installed if installed.is_dir() else _HERE.parent / "task_yamls"


def task_folders() -> list[Path]:
    """Our folder of task YAMLs, and those of the benchmarks that other packages bring."""
    found = [task_folder()]
    for name in benchmark_names():
        try:
            folder = get_benchmark(name).task_folder
        except Exception as error:  # in another package: no reason to stop evaluations that do not need it
            logger.warning(f"the benchmark {name} cannot be loaded, so its tasks are missing: {error}")
            continue
        if folder and folder not in found:
            found.append(folder)
    return found


def register() -> list[ModelManifest]:
    """Entry point of the group `lmms_eval.models`: adds our tasks to lmms-eval's index, returns our models."""
    from lmms_eval.models.registry_v2 import ModelManifest

    add_task_folders(task_folders)
    resume_killed_runs(MODELS)
    return [ModelManifest(name, chat_class_path=f"pixfound_tasks.models.{place}") for name, place in MODELS.items()]
