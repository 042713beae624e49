"""What this package replaces in lmms-eval, because lmms-eval has no documented way to extend it.

| replaced | reason | seen in |
|---|---|---|
| `tasks.TaskManager.initialize_tasks` | models have an entry point, tasks have none | 0.7.0 to 0.7.3 |
| `caching.response_cache.ResponseCache.create` | killed runs are not resumed | 0.7.1 to 0.7.3 |

Each function changes nothing if it is called again.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixfound_tasks.hosts.incompatibilities import find_incompatibilities

if TYPE_CHECKING:
    from lmms_eval.tasks import TaskManager

_OURS = "is_of_pixfound"  # marks a replacement


def add_task_folders(folders: Callable[[], Iterable[Path]]) -> None:
    """Let every `TaskManager` that is built from now on index the tasks in these folders.

    lmms-eval loads the plugins before it builds its `TaskManager`.
    """
    from lmms_eval.tasks import TaskManager

    original = TaskManager.initialize_tasks
    if getattr(original, _OURS, False):
        return

    @functools.wraps(original)
    def initialize_tasks(
        self: TaskManager, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> dict[str, Any]:
        stop_if_broken()
        paths = [include_path] if isinstance(include_path, str) else list(include_path or [])
        return original(self, include_path=[*paths, *map(str, folders())], include_defaults=include_defaults)

    setattr(initialize_tasks, _OURS, True)
    TaskManager.initialize_tasks = initialize_tasks


def resume_killed_runs(models: Collection[str]) -> None:
    """Let `--use_cache` of these models find the answers of killed runs; lmms-eval reads those of finished runs only.

    In lmms-eval 0.7.0 there is nothing to replace: all runs of a model share one cache, and the next run continues it.
    """
    from lmms_eval.caching.response_cache import ResponseCache

    original = getattr(ResponseCache, "create", None)
    if original is None or getattr(original, _OURS, False):
        return
    from pixfound_tasks.hosts.response_cache import ResumableCache

    @functools.wraps(original)
    def create(cache_root: str, *, model: Any = "", **options: Any) -> Any:
        if model in models:
            return ResumableCache.open(cache_root, model=model, **options)
        return original(cache_root, model=model, **options)

    setattr(create, _OURS, True)
    ResponseCache.create = staticmethod(create)


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
