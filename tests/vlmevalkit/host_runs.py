"""Runs of the adapter, on the stand-in of VLMEvalKit or on the real one, and lmms-eval on the same replies."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from running import evaluate, metrics
from vlmevalkit.odd_replies import GROUND, OPEN, VQA, odd_replies

STANDIN = Path(__file__).with_name("standin")
TASKS = {VQA: "pixmini_vqa", GROUND: "pixmini_ground", OPEN: "pixmini_vqa_open"}
SETTINGS = {"PIXFOUND_KIND": "box", "PIXFOUND_COORDINATES": "thousand"}
# Runs the command; says what it imported, and whether a model was alive when its replies were scored.
DRIVER = """
import gc, sys
from pixfound_tasks.tasks.adapted import AdaptedTask
from pixfound_tasks.vlmevalkit.__main__ import main
plain = AdaptedTask.metrics
def metrics(self, samples):
    from vlmeval.vlm import ALIVE
    print("ALIVE", any(each() for each in ALIVE))
    return plain(self, samples)
AdaptedTask.metrics = metrics
PREPARE
try:
    main()
finally:
    print("IMPORTED", [name for name in sys.modules if name.partition(".")[0] == "lmms_eval"])
"""
# In the real VLMEvalKit: a class that reads its replies from a file, where classes of models are.
_READER = """
import json, weakref
from pathlib import Path
import vlmeval.vlm
from vlmeval.vlm.base import BaseModel
vlmeval.vlm.ALIVE = []
class Reader(BaseModel):
    def __init__(self, model_path):
        super().__init__()
        self.replies = json.loads(Path(model_path).read_text())
        vlmeval.vlm.ALIVE.append(weakref.ref(self))
    def use_custom_prompt(self, dataset):
        return True
    def generate_inner(self, message, dataset=None):
        image, text = message
        return self.replies[dataset][Path(image["value"]).stem]
vlmeval.vlm.Reader = Reader
"""


def on_standin(
    folder: Path, *arguments: str, version: str | None = "0.0.20", **settings: str
) -> subprocess.CompletedProcess[str]:
    """The command with a stand-in of this version of VLMEvalKit, in a folder; None: it is missing."""
    places = []
    if version:
        info = folder / version / f"ms_vlmeval-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ms-vlmeval\nVersion: {version}\n")
        places = [str(STANDIN), str(info.parent)]
    path = os.pathsep.join([*places, os.environ.get("PYTHONPATH", "")])
    return _run(folder, DRIVER.replace("PREPARE", ""), arguments, {"PYTHONPATH": path, **settings})


def on_real_host(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command with the installed VLMEvalKit, in a folder."""
    (folder / "lmu").mkdir(exist_ok=True)
    return _run(folder, DRIVER.replace("PREPARE", _READER), arguments, {"LMUData": str(folder / "lmu"), **settings})


def _run(folder: Path, code: str, arguments: tuple[str, ...], settings: Mapping[str, str]):
    environment = {**os.environ, **SETTINGS, **settings}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def write_config(folder: Path, replies: Mapping[str, Mapping[str, str]], *datasets: str) -> list[str]:
    """Write a config of a model that says these replies; return the options that run it on the datasets."""
    (folder / "replies.json").write_text(json.dumps(replies))
    model = {"reads": {"class": "Reader", "model_path": str(folder / "replies.json")}}
    (folder / "config.json").write_text(json.dumps({"model": model, "data": {name: {} for name in datasets or TASKS}}))
    return ["--config", str(folder / "config.json"), "--work-dir", "out"]


def assert_equal_to_lmms_eval(ours: Mapping[str, float], dataset: str, folder: Path) -> None:
    """Assert that every metric equals lmms-eval's on the odd replies; SETTINGS must be in the environment."""
    replies = odd_replies()[dataset].items()
    lines = [json.dumps({"question_id": int(name), "answer": reply, "gt_answer": ""}) for name, reply in replies]
    file = folder / f"{dataset}.jsonl"
    file.write_text("\n".join(lines))
    theirs = metrics(evaluate("pixfound_replay", f"answers={file}", [TASKS[dataset]]), TASKS[dataset])
    compared = [name for name, value in theirs.items() if isinstance(value, float)]
    assert len(compared) >= 5
    for name in compared:
        is_equal = math.isclose(ours[f"{name},none"], theirs[name], rel_tol=0, abs_tol=1e-12)
        assert is_equal or (math.isnan(ours[f"{name},none"]) and math.isnan(theirs[name])), (dataset, name)
