from __future__ import annotations

import sys

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import Lens, mini
from pixfound_tasks.attention.inputs import prompt_inputs
from pixfound_tasks.mini import measure, train
from pixfound_tasks.mini.dialogues import Dialogue
from pixfound_tasks.mini.model import build_model
from pixfound_tasks.mini.scenes import draw, sample_scene
from pixfound_tasks.mini.tokenizer import build_processor


def test_the_weights_are_small_and_load_without_remote_code():
    files = list(mini.weights_folder().iterdir())
    assert sum(file.stat().st_size for file in files) < 4e6
    weights = load_file(mini.weights_folder() / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    tokenizer = AutoProcessor.from_pretrained(mini.weights_folder()).tokenizer
    assert tokenizer.get_vocab() == build_processor().tokenizer.get_vocab()


def test_weights_are_saved_under_names_that_old_and_new_transformers_read(tmp_path):
    # transformers before 5.6 finds no other, starts with random ones and only warns.
    processor = build_processor()
    train.save(build_model(processor.tokenizer), processor, tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    tower = [name for name in names if name.startswith("vision_tower.")]
    assert len(tower) > 30 and all(name.startswith("vision_tower.vision_model.") for name in tower)
    assert names == set(load_file(mini.weights_folder() / "model.safetensors"))


def test_the_processors_pixels_are_those_of_training(mini_lens, scene_image):
    drawing = draw(sample_scene(np.random.RandomState(7)))
    pixels = prompt_inputs(mini_lens.processor, [[scene_image]], ["Describe the scene."], {})["pixel_values"]
    torch.testing.assert_close(pixels, train.pixel_values([drawing]), atol=1e-5, rtol=0)


def test_packed_exchanges_do_not_see_each_other():
    torch.manual_seed(0)
    processor = build_processor()
    model = build_model(processor.tokenizer).eval()
    dialogues = [Dialogue("Describe the scene.", "The scene shows a small red star."), Dialogue("Is it red?", "Yes")]
    pixels = train.pixel_values([draw(sample_scene(np.random.RandomState(1)))])

    def losses(asked):
        inputs, labels = train.pack(processor.tokenizer, [asked])
        with torch.no_grad():
            logits = model.lm_head(model.model(**inputs, pixel_values=pixels, use_cache=False).last_hidden_state)
        return torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none")

    together = losses(dialogues)
    apart = [losses([exchange]) for exchange in dialogues]
    torch.testing.assert_close(
        together[together > 0], torch.cat([loss[loss > 0] for loss in apart]), atol=1e-5, rtol=1e-5
    )


def test_training_runs_and_what_it_saves_answers(tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path), "--scale", "0.002"])
    try:
        train.main()
    finally:
        torch.set_num_threads(threads)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype="float32").eval()
    rows = measure.answers(Lens(model, AutoProcessor.from_pretrained(tmp_path)), 1)
    assert all(0 <= share <= 1 for share in rows["all"])


def test_the_embedded_model_does_what_its_card_says(mini_lens):
    choice, choice_pairs, opened, _ = measure.answers(mini_lens, 6)["all"]
    assert choice >= 0.9 and choice_pairs >= 0.8 and opened >= 0.8
    shares = measure.peaks(mini_lens, 60)
    (named,), (best,) = (
        shares["phrase that names it, rows that predict it"],
        shares["best phrase, rows that predict it"],
    )
    assert named >= 0.6 and best >= 0.75
    assert shares["best of as many random points"][0] <= 0.25
