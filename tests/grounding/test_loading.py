"""What a checkpoint lacks is an error, where transformers would start with random weights and warn."""

from __future__ import annotations

import shutil

import pytest
from safetensors.torch import load_file, save_file

from pixfound_tasks import mini
from pixfound_tasks.grounding.pipeline import open_lens


def test_missing_weights_are_an_error_that_names_them(tmp_path):
    folder = tmp_path / "partial"
    shutil.copytree(mini.weights_folder(), folder)
    weights = load_file(folder / "model.safetensors")
    lacking = next(name for name in weights if name.endswith("layers.1.self_attn.q_proj.weight"))
    del weights[lacking]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"all weights of a Llava.*lacks 1 of them \(.*layers\.1\.self_attn\.q_proj"):
        open_lens(str(folder), "cpu")


def test_a_pixel_level_folder_is_opened_as_such():
    folder = str(mini.weights_folder(mini.SEG_NAME))
    assert open_lens(folder, "cpu", "float32", query="consume").query == "consume"
