"""What a fresh process finds when it loads lmms-eval as its command does; prints it as one line of JSON.

`pixfound doctor` runs this in a process of its own: what is broken may end the process, or print. Every step is tried,
whatever the steps before it gave.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

PREFIX = "pixfound-probe: "
GROUP = "lmms_eval.models"
KINDS = ("benchmarks", "conventions", "geometries", "pixel_families", "reducers", "segmenters", "text_profiles")
GROUPS = [f"pixfound_tasks.{kind}" for kind in KINDS]
# In the order in which lmms-eval needs them: the first failure is the cause of those that follow.
MODULES = ("torch", "torchvision", "transformers", "datasets", "lmms_eval.evaluator", "lmms_eval.models")
MODELS = ("pixfound", "pixfound_pixel", "pixfound_replay")
TASK = "pixmini_vqa"


def main() -> None:
    """Print what each step gave: an empty text, or what went wrong."""
    found: dict[str, Any] = {"imports": {name: _failure(partial(import_module, name)) for name in MODULES}}
    found["devices"], found["torch"] = {}, ""
    if not found["imports"]["torch"]:
        found["torch"] = _failure(lambda: found["devices"].update(_devices()))
        found["torch_file"] = str(getattr(sys.modules["torch"], "__file__", ""))
    found["entry_points"] = [
        {
            "name": each.name,
            "package": each.dist.name if each.dist else "",
            "error": _failure(partial(_load, each)),
        }
        for each in entry_points(group=GROUP)
    ]
    found["records"] = [
        {"name": each.name, "package": each.dist.name if each.dist else "", "group": group, "error": error}
        for group in GROUPS
        for each in entry_points(group=group)
        if (error := _failure(each.load))
    ]
    if not found["imports"]["lmms_eval.models"]:
        found["models"] = {name: _failure(partial(_resolve, name)) for name in MODELS}
        if "--tasks" in sys.argv:
            found["tasks"] = _failure(_index_tasks)
        if "--evaluate" in sys.argv:
            found["evaluation"] = _failure(_evaluate)
    print(f"\n{PREFIX}{json.dumps(found)}")


def _failure(step: Callable[[], object]) -> str:
    """What went wrong in a step; empty if nothing did."""
    try:
        step()
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}".strip()
    return ""


def _devices() -> dict[str, Any]:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    properties = [torch.cuda.get_device_properties(index) for index in range(count)]
    return {
        "cuda": [{"name": each.name, "gigabytes": round(each.total_memory / 1e9, 1)} for each in properties],
        "bfloat16": bool(count) and torch.cuda.is_bf16_supported(),
        "mps": torch.backends.mps.is_available(),
        "built_for_cuda": torch.version.cuda or "",
        "threads": torch.get_num_threads(),
    }


def _load(plugin: EntryPoint) -> None:
    """Load a plugin, and let it register as lmms-eval does."""
    payload = plugin.load()
    if callable(payload):
        payload()


def _resolve(name: str) -> None:
    from lmms_eval.models import get_model

    get_model(name)


def _index_tasks() -> None:
    from lmms_eval.tasks import TaskManager

    if TASK not in TaskManager(include_defaults=False).all_tasks:
        raise LookupError(f"lmms-eval's index has no {TASK}")


def _evaluate() -> None:
    """Evaluate the embedded model on one document."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        results = simple_evaluate(
            "pixfound", model_args="pretrained=pixfound/mini", tasks=[TASK], limit=1, bootstrap_iters=0,
            task_manager=TaskManager(model_name="pixfound", include_defaults=False),
        )  # fmt: skip
        os.chdir(os.sep)
    if not results or TASK not in results["results"]:
        raise LookupError(f"lmms-eval returned no results of {TASK}")


if __name__ == "__main__":
    main()
