"""What lmms-eval loads: the models of this package, and the folders of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from pixfound_tasks.benchmarks.registry import BUILT_IN, usable_benchmarks
from pixfound_tasks.hosts.patches import (
    add_task_folders,
    ask_failed_requests_again,
    complete_chat_prompts,
    list_metrics_only,
    resume_killed_runs,
)
from pixfound_tasks.protocols import PROTOCOLS, find_task, is_own_name

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

MODELS = {
    "pixfound": "pixfound.PixFound",
    "pixfound_pixel": "pixfound_pixel.PixFoundPixel",
    "pixfound_replay": "replay.PixFoundReplay",
}
_HERE = Path(__file__).parent


def task_folder() -> Path:
    """The folder of the task YAMLs: in an installed package, or beside it in a source checkout."""
    installed = _HERE / "task_yamls"
    return installed if installed.is_dir() else _HERE.parent / "task_yamls"


def task_folders() -> list[Path]:
    """Our folder of task YAMLs, and those of the benchmarks that other packages bring."""
    found = [task_folder()]
    for benchmark in usable_benchmarks():
        folder = benchmark.task_folder
        if benchmark.name in BUILT_IN:
            continue
        if folder is None or not any(folder.glob("*.yaml")):
            logger.warning(
                f"the benchmark {benchmark.name} has no task YAMLs in its task_folder ({folder}): write them with "
                f"python -m pixfound_tasks.task_files {benchmark.name} FOLDER"
            )
        elif folder not in found:
            found.append(folder)
    return found


def is_ours(name: str) -> bool:
    """Whether a name for `--tasks` is that of one of our tasks, groups or tags."""
    return is_own_name(name) or any(name == protocol.tag for protocol in PROTOCOLS)


def register() -> list[ModelManifest]:
    """Entry point of the group `lmms_eval.models`: adds our tasks to lmms-eval's index, returns our models."""
    from lmms_eval.models.registry_v2 import ModelManifest

    add_task_folders(task_folders, is_ours)
    resume_killed_runs(MODELS)
    ask_failed_requests_again()
    complete_chat_prompts()
    list_metrics_only(lambda task: find_task(task) is not None)
    return [ModelManifest(name, chat_class_path=f"pixfound_tasks.models.{place}") for name, place in MODELS.items()]
