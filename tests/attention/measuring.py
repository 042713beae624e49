"""Measuring the toys' geometry, and processors that no geometry can be measured through."""

from __future__ import annotations

import numpy as np
import torch
from attention.families import build_family
from attention.zoo.zoo_build import build

from pixfound_tasks.attention.families.registry import token_geometries
from pixfound_tasks.attention.measured.comparison import deviation
from pixfound_tasks.attention.measured.measure import measure

# Families with the rule of another one.
ALIASES = (
    "exaone4_5", "glmga", "llava_next_video", "paddleocr_vl", "qwen2_5_omni_thinker", "shieldgemma2", "video_llama_3",
)  # fmt: skip


def process_of(family, images):
    """One prompt with these images, as the family's processor makes it."""
    text = [family.placeholder * len(images) + "ab"]
    return family.processor(images=[list(images)], text=text, return_tensors="pt", **family.images_kwargs)


def measured(name, sizes, model=None):
    family = build_family(name)
    return measure(model or family.model, lambda images: process_of(family, images), sizes)


def registered(name, sizes):
    family = build_family(name)
    return token_geometries(family.model.config, family.processor, sizes, None, family.images_kwargs)


def measured_toy(name, sizes):
    """Of the zoo, whose families need no rule."""
    toy = build(name)
    return measure(toy.model, lambda images: toy.inputs([list(images)], ["ab"]), sizes)


def assert_alike(geometries, others, pixels=0.5):
    off = deviation(geometries, others)
    assert (off.missing, off.extra) == (0, 0) and off.pixels <= pixels, off


class Spoiled:
    """A family's processor whose pixel values are changed, see the functions below."""

    def __init__(self, name, spoil):
        self.family, self.spoil = build_family(name), spoil

    def __call__(self, images):
        inputs = process_of(self.family, images)
        return {**inputs, "pixel_values": self.spoil(inputs["pixel_values"])}


def noisy(values):
    return values + 0.01 * torch.randn(values.shape)


def normalized(values):
    return (values - values.mean()) / (values.std() + 1e-5)


def stretched(values):
    return (values - values.min()) / (values.max() - values.min() + 1e-5)


def quantized(values):
    return (values * 8).round() / 8


def array(size, seed=0):
    return np.random.RandomState(seed).randint(0, 255, (*size, 3)).astype(np.uint8)
