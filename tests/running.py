"""Runs of lmms-eval: within this process, and by its command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

QUICK_YAML = Path(__file__).with_name("quick_yaml")


def evaluate(model: str, model_args: str, tasks: list[str], limit: int | None = None, **options: Any) -> dict[str, Any]:
    """lmms-eval's results, with every sample under `samples`."""
    import lmms_eval.models  # noqa: F401 - loads the plugin, before a TaskManager is built
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    # Only our own tasks: lmms-eval's thousands take ten seconds to index.
    manager = TaskManager(model_name=model, include_defaults=False)
    return simple_evaluate(
        model, model_args=model_args, tasks=tasks, task_manager=manager, limit=limit, bootstrap_iters=0, **options
    )


def metrics(results: dict[str, Any], task: str) -> dict[str, Any]:
    """A task's metrics by name."""
    return {
        name.removesuffix(",none"): value for name, value in results["results"][task].items() if "stderr" not in name
    }


def command(*arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    """Run one of the environment's commands, such as `lmms-eval`, and wait for it."""
    name, *rest = arguments
    program = Path(sys.executable).with_name(str(name))
    return subprocess.run([program, *map(str, rest)], capture_output=True, text=True, check=False, env=environment())


def environment() -> dict[str, str]:
    """This process's, for one that lmms-eval runs in: it finds its tasks sooner."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(QUICK_YAML), os.environ.get("PYTHONPATH", "")])}
