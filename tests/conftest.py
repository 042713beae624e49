"""Shared fixtures: the embedded model, a tiny random LLaVA, and the study's own files where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores: one thread each, and for the commands they start
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("COLUMNS", "LINES"):  # pytest-xdist sets them, as if workers had a terminal
        os.environ.pop(name, None)

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image
from places import REPOSITORY

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep the tests, and the commands they start, out of the user's cache."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PIXFOUND_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_settings():
    """Leave the settings in the environment as they were: `preset=paper` sets some for the rest of a process."""
    before = {name: value for name, value in os.environ.items() if name.startswith("PIXFOUND_")}
    yield
    for name in [name for name in os.environ if name.startswith("PIXFOUND_") and name not in before]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def warnings():
    """What is logged as a warning or worse, in order."""
    from loguru import logger

    messages: list[str] = []
    sink = logger.add(lambda line: messages.append(line.record["message"]), level="WARNING")
    yield messages
    logger.remove(sink)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The study's annotations and reference predictions; tests that need them skip without."""
    place = Path(os.environ.get("PIXFOUND_SHARED", REPOSITORY.parent / "shared"))
    if not (place / "data" / "pixmmvp").is_dir():
        pytest.skip(
            f"needs the study's files: {place}, or the folder PIXFOUND_SHARED names, has no data/pixmmvp (shared)"
        )
    return place


@pytest.fixture(scope="session")
def mini_lens():
    """The embedded model behind a lens, float32 on the CPU."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from pixfound_tasks import Lens, mini

    folder = mini.weights_folder()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()
    return Lens(model, AutoProcessor.from_pretrained(folder))


@pytest.fixture
def tiny_llava():
    """A tiny random LLaVA: grouped-query attention, 4 x 4 image tokens; a fresh one for every test."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=56, patch_size=14
    )
    text = LlamaConfig(
        vocab_size=100, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=99, vision_feature_layer=-1)
    return LlavaForConditionalGeneration(config).eval()


@pytest.fixture
def tiny_inputs():
    """A batch of two prompts of different length, padded on the left; 16 image tokens each."""
    import torch

    torch.manual_seed(1)
    ids = torch.randint(5, 90, (2, 24))
    ids[:, 4:20] = 99
    mask = torch.ones_like(ids)
    ids[0, :3], mask[0, :3] = 0, 0
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": torch.randn(2, 3, 56, 56)}


@pytest.fixture
def scene_image() -> Image.Image:
    """A drawn scene."""
    from pixfound_tasks.mini.scenes import draw, sample_scene

    return Image.fromarray(draw(sample_scene(np.random.RandomState(7))).image)
