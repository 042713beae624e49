"""What this package replaces in lmms-eval, because lmms-eval has no documented way to extend it.

| replaced | reason | seen in |
|---|---|---|
| `tasks.TaskManager.initialize_tasks` | models have an entry point, tasks have none | 0.7.0 to 0.7.3 |
| `caching.response_cache.ResponseCache.create` | killed runs are not resumed | 0.7.1 to 0.7.3 |
| `evaluator_utils.TaskOutput.calculate_aggregate_metric` | what samples log is listed as metrics | 0.7.0 to 0.7.3 |
| `api.task.Task.append_target_question` | it is missing, so `--apply_chat_template` fails | 0.7.0 to 0.7.3 |
| `ResponseCache._lookup` and `._is_valid_response` | failed requests are cached like answers | 0.7.1 to 0.7.3 |

`hosts.command` has what is replaced in its command. Each function changes nothing if it is called again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixfound_tasks.hosts.command import fail_with_status, stop_command
from pixfound_tasks.hosts.failed_requests import is_failed
from pixfound_tasks.hosts.incompatibilities import find_incompatibilities

if TYPE_CHECKING:
    from lmms_eval.tasks import TaskManager

_OURS = "is_of_pixfound"  # marks a replacement


def add_task_folders(folders: Callable[[], Iterable[Path]], is_ours: Callable[[str], bool]) -> None:
    """Let every `TaskManager` that is built from now on index the tasks in these folders.

    lmms-eval loads the plugins before it builds its `TaskManager`, and while it imports its evaluator: what is replaced
    there, for the tasks that are ours, is replaced when the first `TaskManager` is built.
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
        fail_with_status(is_ours)
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


def ask_failed_requests_again() -> None:
    """Let `--use_cache` of all models keep no failed request, and find none that it has kept before."""
    from lmms_eval.caching.response_cache import ResponseCache

    lookup, is_valid = getattr(ResponseCache, "_lookup", None), getattr(ResponseCache, "_is_valid_response", None)
    if lookup is None or is_valid is None or getattr(lookup, _OURS, False):
        return

    @functools.wraps(lookup)
    def _lookup(self: ResponseCache, cache_key: str) -> Any:
        found = lookup(self, cache_key)
        return None if found is None or _has_failed(found) else found

    @functools.wraps(is_valid)
    def _is_valid_response(response: Any, request_type: str) -> bool:
        return bool(is_valid(response, request_type)) and not _has_failed(response)

    setattr(_lookup, _OURS, True)
    ResponseCache._lookup = _lookup
    ResponseCache._is_valid_response = staticmethod(_is_valid_response)


def _has_failed(response: Any) -> bool:
    text = getattr(response, "text", response)
    return isinstance(text, str) and is_failed(text)


def complete_chat_prompts() -> None:
    """Let `--apply_chat_template` work: lmms-eval calls a method of its tasks that it does not have."""
    from lmms_eval.api.task import Task

    if hasattr(Task, "append_target_question"):
        return

    def append_target_question(labeled_examples: list[dict[str, Any]], question: str, _: bool = False) -> None:
        labeled_examples.append({"role": "user", "content": question})

    Task.append_target_question = staticmethod(append_target_question)


def list_metrics_only(is_ours: Callable[[str], bool]) -> None:
    """Let the results of these tasks have their metrics only.

    lmms-eval lists everything that a task logs with its samples, such as the documents, as a metric with the value [].
    """
    from lmms_eval.evaluator_utils import TaskOutput

    original = TaskOutput.calculate_aggregate_metric
    if getattr(original, _OURS, False):
        return

    @functools.wraps(original)
    def calculate_aggregate_metric(self: TaskOutput, *args: Any, **options: Any) -> None:
        if is_ours(str(self.task_name)):
            for key in [key for key in self.sample_metrics if key[0] not in self.task.aggregation()]:
                del self.sample_metrics[key]
        original(self, *args, **options)

    setattr(calculate_aggregate_metric, _OURS, True)
    TaskOutput.calculate_aggregate_metric = calculate_aggregate_metric


def stop_if_broken() -> None:
    """Stop, with one line, before versions that are known to break lmms-eval do it with a traceback.

    Ends the process with status 1 if lmms-eval's command runs, which exits with 0 after a failed evaluation. Raises
    RuntimeError elsewhere.
    """
    broken = find_incompatibilities()
    if not broken:
        return
    message = "; ".join(map(str, broken))
    stop_command(message)
    raise RuntimeError(f"pixfound-tasks: {message}")
