"""The dataset class of our tasks in VLMEvalKit. Importing this module imports VLMEvalKit.

A dataset's table holds prompts and paths of images. `evaluate` scores the replies with the task's own functions, and
writes samples and results as lmms-eval logs them, which `pixfound report` and the other commands read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from vlmeval import dataset as host
from vlmeval.config import supported_VLM
from vlmeval.dataset.image_base import ImageBaseDataset

from pixfound_tasks import __version__
from pixfound_tasks.benchmarks.image_files import image_files
from pixfound_tasks.tasks.adapted import AdaptedTask
from pixfound_tasks.vlmevalkit.host import check_host
from pixfound_tasks.vlmevalkit.models import Model, declared_of, find_model
from pixfound_tasks.vlmevalkit.names import tasks_by_dataset
from pixfound_tasks.vlmevalkit.predictions import PredictionError, read_predictions
from pixfound_tasks.vlmevalkit.scoring import score_and_write

_RUN_FOLDER = re.compile(r"T\d{8}(-\d{6}|_G\w+)")  # VLMEvalKit's folder of one run, inside the model's


class PixFoundDataset(ImageBaseDataset):
    """One of our tasks: `PixMini_VQA`, `PixMini_Ground` and so on.

    `build_dataset` passes its command's options `model` and `limit`. With `model` the coordinates are read by the
    convention of that model, see `models`; of several models the first counts.
    """

    # None of VLMEvalKit's own types: many models have a wording of their own for those.
    TYPE = "PixFound"
    force_use_dataset_prompt = True

    def __init__(self, dataset: str, model: str | Sequence[str] | None = None, limit: int | None = None) -> None:
        self.task: AdaptedTask = tasks_by_dataset()[dataset]
        names = [model] if isinstance(model, str) else list(model or ())
        self.model = find_model(names[0], supported_VLM.get(names[0])) if names else Model("")
        self.limit = limit
        super().__init__(dataset)

    @classmethod
    def supported_datasets(cls) -> list[str]:
        return list(tasks_by_dataset())

    def load_data(self, dataset: str) -> pd.DataFrame:
        task, declared = self.task, declared_of(self.model)
        documents = task.documents()
        self.known = len(documents)
        self.documents = {doc["id"]: doc for doc in documents[: self.limit]}
        self.prompts = {name: task.prompt(doc, declared) for name, doc in self.documents.items()}
        files = image_files(task.benchmark.name, self.documents)
        rows = [
            {"index": name, "question": prompt, "answer": task.target(self.documents[name]), "image_path": str(file)}
            for (name, prompt), file in zip(self.prompts.items(), files)
        ]
        return pd.DataFrame(rows)

    def evaluate(self, eval_file: str, **judge_kwargs: Any) -> dict[str, float]:
        """The metrics of the replies in a file, in 0..1, which are also written for `pixfound report`.

        `judge_kwargs` are not used: PIXFOUND_JUDGE names the judge of open answers.
        """
        file = Path(eval_file)
        replies = read_predictions(file)
        if missing := [name for name in self.documents if name not in replies]:
            raise PredictionError(
                f"expected replies to all {len(self.documents)} documents in {file}, but {len(missing)} are missing, "
                f"such as {missing[0]}; run the same command again"
            )
        folder = file.parent.parent if _RUN_FOLDER.fullmatch(file.parent.name) else file.parent
        versions = {"pixfound-tasks": __version__, "VLMEvalKit": f"ms-vlmeval {check_host()}"}
        model = self.model._replace(name=file.stem.removesuffix(f"_{self.dataset_name}"))
        return score_and_write(self, replies, folder, model, versions)

    @classmethod
    def report_primary_metric(cls, metrics: dict[str, Any] | None) -> dict[str, float]:
        """What VLMEvalKit's own summary shows."""
        return {"score": metrics["score"]} if metrics and "score" in metrics else {}


def register() -> None:
    """Add our datasets to VLMEvalKit's list, once."""
    if PixFoundDataset not in host.DATASET_CLASSES:
        host.DATASET_CLASSES.insert(0, PixFoundDataset)
        host.SUPPORTED_DATASETS.extend(PixFoundDataset.supported_datasets())
