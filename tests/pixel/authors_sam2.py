"""The archives of what the authors' own code gave for tiny Sa2VA and RGA3."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pixfound_tasks.pixel.base import PixelAnswer
from pixfound_tasks.pixel.families.registry import Options, load_pixel_model

STATE, LOGITS, PIXELS = 1e-3, 1e-3, 5


class Archive:
    """One archive: its cases, arrays and masks, and our model with given options."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, dict[str, Any]] = json.loads((folder / "reference.json").read_text())["cases"]
        self.arrays = np.load(folder / "reference.npz")
        self.model = cache(self._model)

    def _model(self, **more: Any) -> Any:
        return load_pixel_model(str(self.folder / "checkpoint"), options=Options(torch.float32, more=more))

    def image(self, case: dict[str, Any]) -> Image.Image:
        return Image.open(self.folder / case["image"]).convert("RGB")

    def check_ids(self, case: dict[str, Any], answer: PixelAnswer, tokenizer: Any) -> None:
        """The generated ids are the authors', which have the end of the text too."""
        count = len(answer.ids)
        assert list(answer.ids) == case["generated_ids"][:count]
        rest = tokenizer.decode(case["generated_ids"][count:])
        assert rest.removeprefix(".") in ("<|im_end|>", "<|end|>")  # a token may hold the full stop too

    def check_masks(self, name: str, answer: PixelAnswer) -> None:
        case = self.cases[name]
        expected = [np.asarray(Image.open(self.folder / mask["file"])) > 0 for mask in case["masks"]]
        assert answer.masks.shape == (len(expected), *self.image(case).size[::-1])
        assert answer.chosen == tuple(mask["chosen_of_three"] for mask in case["masks"])
        scores = [max(mask["iou_predictions"]) for mask in case["masks"]]
        np.testing.assert_allclose(answer.scores, scores, atol=1e-4)
        np.testing.assert_allclose(answer.states, self.arrays[f"{name}/seg_hidden"], atol=STATE)
        np.testing.assert_allclose(answer.embeddings, self.arrays[f"{name}/seg_embedding"], atol=STATE)
        if f"{name}/low_res_logits" in self.arrays:
            np.testing.assert_allclose(answer.low_res_logits, self.arrays[f"{name}/low_res_logits"], atol=LOGITS)
        assert max(int((one != other).sum()) for one, other in zip(answer.masks, expected)) <= PIXELS


def open_archives(shared: Path, family: str, to: Path) -> list[Archive]:
    """All archives of a family. Skips the test if there is none."""
    found = sorted((shared / "data" / "pixel").glob(f"{family}_*.tar.gz"))
    if not found:
        pytest.skip(f"needs the archives {family}_*.tar.gz in data/pixel (shared)")
    for archive in found:
        with tarfile.open(archive) as file:
            file.extractall(to, filter="data")
    return [Archive(to / archive.name.removesuffix(".tar.gz")) for archive in found]
