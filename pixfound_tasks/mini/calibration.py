"""Drawn scenes for choosing settings. Neither training nor any benchmark uses their seeds."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pixfound_tasks.mini.dialogues import refer
from pixfound_tasks.mini.scenes import draw, sample_scene
from pixfound_tasks.prompts.text import referring_prompt

FIRST_SEED = 900_000_000


def calibration_scenes(count: int = 32) -> tuple[list[Image.Image], list[str]]:
    """Return images (RGB, of several sizes), and for each one a referring prompt for something that is in it.

    Every call returns the same ones.
    """
    images, prompts = [], []
    for index in range(count):
        rng = np.random.RandomState(FIRST_SEED + index)
        scene = sample_scene(rng)
        reference = refer(scene, rng)
        while not reference.things:
            reference = refer(scene, rng)
        images.append(Image.fromarray(draw(scene).image))
        prompts.append(referring_prompt(reference.expression))
    return images, prompts
