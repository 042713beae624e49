"""Whether lmms-eval loads, finds the plugin and evaluates, and on which devices, as seen in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from pixfound_tasks.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from pixfound_tasks.doctor.probe import PREFIX
from pixfound_tasks.doctor.versions import PACKAGE, tested_versions
from pixfound_tasks.settings import read_setting

_SECTION, _DEVICES = "lmms-eval", "devices"
_PATIENCE = 600  # seconds
_REINSTALL = "reinstall it: pip install --force-reinstall --no-deps . (in the folder of pyproject.toml)"
_LINE = 300  # characters of an error


def examine_host(index_tasks: bool = True, evaluate: bool = True) -> Iterator[Finding]:
    """The first thing that keeps lmms-eval from evaluating, or that nothing does; then the devices.

    Args:
        index_tasks: whether to let lmms-eval look for our tasks.
        evaluate: whether to evaluate one document too.
    """
    found = run_probe(*["--tasks"] * index_tasks, *["--evaluate"] * evaluate)
    if isinstance(found, str):
        remedy = 'look at the whole output of: python -c "import lmms_eval.evaluator"'
        yield Finding(_SECTION, "start", ERROR, f"a fresh process that loads it ended early: {found}", remedy)
        return
    failure = _first_failure(found)
    if failure:
        yield failure
    else:
        yield Finding(
            _SECTION, "plugin", OK, f"lmms-eval finds the models{' and the tasks' * index_tasks} of this package"
        )
    if not failure and "evaluation" in found:
        yield Finding(_SECTION, "evaluation", OK, "one document of PixMini was evaluated with the embedded model")
    yield from map(_broken_record, found["records"])
    if found["devices"]:
        yield from _examine_devices(found["devices"])


def run_probe(*options: str) -> dict[str, Any] | str:
    """What `probe` finds with these options, or how its process ended if it printed nothing."""
    code = "from pixfound_tasks.doctor.probe import main; main()"
    with tempfile.TemporaryDirectory() as folder:  # nothing in the current folder can shadow a module
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, *options], cwd=folder, capture_output=True,
                text=True, errors="replace", timeout=_PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no result after {_PATIENCE} seconds"
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(PREFIX):
            return json.loads(line.removeprefix(PREFIX))
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it printed no error")
    return f"exit status {done.returncode}: {last.strip()[:_LINE]}"


def _first_failure(found: Mapping[str, Any]) -> Finding | None:
    """The first step that failed: those after it fail because of it."""
    plugins = found["entry_points"]
    for module, error in found["imports"].items():
        ends = [plugin for plugin in plugins if plugin["error"] and plugin["error"] == error]
        if ends and error.startswith("SystemExit"):  # lmms-eval loads the plugins while it is imported
            return _broken_plugin(ends[0])
        if error:
            return Finding(_SECTION, f"import {module}", ERROR, error[:_LINE], _remedy_of_import(module, error))
        if module == "torch" and found["torch"]:
            detail = f"torch is loaded from {found['torch_file']}, which does not work: {found['torch'][:_LINE]}"
            remedy = "if that file is not PyTorch, rename it or take its folder off PYTHONPATH; else reinstall torch"
            return Finding(_SECTION, "import torch", ERROR, detail, remedy)
    for plugin in plugins:
        if plugin["error"]:
            return _broken_plugin(plugin)
    if PACKAGE not in {canonicalize_name(plugin["package"]) for plugin in plugins}:
        return Finding(_SECTION, "plugin", ERROR, "the installed package declares no plugin of lmms-eval", _REINSTALL)
    for name, error in found["models"].items():
        if error:
            return Finding(_SECTION, f"--model {name}", ERROR, error[:_LINE], _REINSTALL)
    if error := found.get("tasks"):
        return Finding(_SECTION, "tasks", ERROR, error[:_LINE], _REINSTALL)
    if error := found.get("evaluation"):
        remedy = "see all of it: lmms-eval --model pixfound --tasks pixmini_vqa --limit 1 --verbosity DEBUG"
        return Finding(_SECTION, "evaluation", ERROR, error[:_LINE], remedy)
    return None


def _remedy_of_import(module: str, error: str) -> str:
    package = module.partition(".")[0].replace("_", "-")
    named = [name for name in read_setting("LMMS_EVAL_PLUGINS").split(",") if name]
    if any(f"No module named '{name}" in error for name in named):
        return "correct LMMS_EVAL_PLUGINS, or unset it"
    tested = tested_versions()
    names = ["torch", "torchvision"] if package in ("torch", "torchvision") else [package]
    pins = " ".join(f"{name}=={tested[name]}" if name in tested else name for name in names)
    if error.startswith("ModuleNotFoundError"):
        return f"pip install {pins}"
    return f"pip install --force-reinstall {pins}" + " (both from one index)" * (len(names) > 1)


def _broken_plugin(plugin: Mapping[str, str]) -> Finding:
    """A plugin that does not load: lmms-eval then loads none of those after it, ours among them."""
    detail = f"the plugin {plugin['name']!r} of {plugin['package'] or 'an unknown package'} does not load"
    ours = canonicalize_name(plugin["package"]) == PACKAGE
    remedy = _REINSTALL if ours else f"update or remove it: pip uninstall {plugin['package']}"
    consequence = "" if ours else ", and lmms-eval loads no plugin after it"
    return Finding(_SECTION, "plugin", ERROR, f"{detail}{consequence}: {plugin['error'][:_LINE]}", remedy)


def _broken_record(record: Mapping[str, str]) -> Finding:
    """An entry point of another package that does not load, and without which everything else works."""
    kind = record["group"].removeprefix("pixfound_tasks.")
    detail = f"{record['name']} of {record['package'] or 'an unknown package'} does not load: {record['error'][:_LINE]}"
    return Finding(_SECTION, kind, WARNING, detail, f"update or remove it: pip uninstall {record['package']}")


def _examine_devices(devices: Mapping[str, Any]) -> Iterator[Finding]:
    for index, gpu in enumerate(devices["cuda"]):
        dtypes = "bfloat16, float16 and float32" if devices["bfloat16"] else "float16 and float32"
        yield Finding(_DEVICES, f"cuda:{index}", OK, f"{gpu['name']}, {gpu['gigabytes']} GB, {dtypes}")
    if not devices["cuda"]:
        built = devices["built_for_cuda"]
        why = f"torch, built for CUDA {built}, sees no GPU" if built else "torch is built without CUDA"
        remedy = "if this machine has one, check nvidia-smi and CUDA_VISIBLE_DEVICES" if built else ""
        yield Finding(_DEVICES, "cuda", NOTE, f"{why}: models run on the CPU ({devices['threads']} threads)", remedy)
    if devices["mps"]:
        yield Finding(_DEVICES, "mps", OK, "Apple GPU, float16 and float32")
