"""What lmms-eval loads: the models of this package, and the folder of its tasks."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.hosts.incompatibilities import find_incompatibilities

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest
    from lmms_eval.tasks import TaskManager

MODELS = {"pixfound": "pixfound.PixFound", "pixfound_replay": "replay.PixFoundReplay"}
_HERE = Path(__file__).parent


def task_folder() -> Path:
    """The folder of the task YAMLs: inside an installed package, beside it in a source checkout."""
    installed = _HERE / "task_yamls"
    return installed if installed.is_dir() else _HERE.parent / "task_yamls"


def task_folders() -> list[Path]:
    """Our folder of task YAMLs, and those of the benchmarks that other packages bring."""
    found = [task_folder()]
    for name in benchmark_names():
        try:
            folder = get_benchmark(name).task_folder
        except Exception as error:  # in another package: no reason to stop evaluations that do not need it
            logger.warning(f"the benchmark {name} cannot be loaded, and its tasks are not there: {error}")
            continue
        if folder and folder not in found:
            found.append(folder)
    return found


def register() -> list[ModelManifest]:
    """Entry point of the group `lmms_eval.models`: adds our tasks to lmms-eval's index, returns our models."""
    from lmms_eval.models.registry_v2 import ModelManifest

    add_task_folder()
    let_runs_resume()
    return [ModelManifest(name, chat_class_path=f"pixfound_tasks.models.{place}") for name, place in MODELS.items()]


def let_runs_resume() -> None:
    """Let `--use_cache` of our models' runs find what killed runs had answered; calling it again changes nothing.

    lmms-eval has no entry point for it, and alone it looks at finished runs only.
    """
    from lmms_eval.caching.response_cache import ResponseCache

    plain = getattr(ResponseCache, "create", None)
    if plain is None or getattr(plain, "resumes_pixfound", False):
        return  # lmms-eval 0.7.0 has no `create`: all runs of a model share one cache, and the next one goes on with it
    from pixfound_tasks.hosts.response_cache import ResumableCache

    @functools.wraps(plain)
    def create(cache_root: str, *, model: Any = "", **options: Any) -> Any:
        if model in MODELS:
            return ResumableCache.open(cache_root, model=model, **options)
        return plain(cache_root, model=model, **options)

    create.__dict__["resumes_pixfound"] = True
    ResponseCache.create = staticmethod(create)


def add_task_folder() -> None:
    """Let every `TaskManager` that is built from now on index our tasks; calling it again changes nothing.

    lmms-eval has an entry point for models only; it loads them before it builds its `TaskManager`.
    """
    from lmms_eval.tasks import TaskManager

    plain = TaskManager.initialize_tasks
    if getattr(plain, "adds_pixfound", False):
        return

    @functools.wraps(plain)
    def initialize_tasks(
        self: TaskManager, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> dict[str, Any]:
        stop_if_broken()
        paths = [include_path] if isinstance(include_path, str) else list(include_path or [])
        ours = map(str, task_folders())
        return plain(self, include_path=[*paths, *ours], include_defaults=include_defaults)

    initialize_tasks.__dict__["adds_pixfound"] = True
    TaskManager.initialize_tasks = initialize_tasks


def stop_if_broken() -> None:
    """Stop, with one line, before versions that are known to break lmms-eval do it with a traceback.

    Ends the process with status 1 if lmms-eval's command runs, which exits with 0 after a failed evaluation. Raises
    RuntimeError elsewhere.
    """
    broken = find_incompatibilities()
    if not broken:
        return
    message = "pixfound-tasks: " + "; ".join(map(str, broken))
    if "lmms_eval.__main__" in sys.modules:
        raise SystemExit(message)
    raise RuntimeError(message)
