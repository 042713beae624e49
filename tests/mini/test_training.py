from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import Lens, mini
from pixfound_tasks.attention.inputs import prompt_inputs
from pixfound_tasks.mini import descent, lisa, measure, train
from pixfound_tasks.mini.batches import pixel_values
from pixfound_tasks.mini.dialogues import Dialogue
from pixfound_tasks.mini.language_stage import sample_batch, talk
from pixfound_tasks.mini.mask_decoder import MaskHead, mask_loss, mask_targets
from pixfound_tasks.mini.model import build_model
from pixfound_tasks.mini.packing import PREFIX, pack
from pixfound_tasks.mini.questions import sample_question
from pixfound_tasks.mini.scenes import draw, sample_scene
from pixfound_tasks.mini.tokenizer import build_processor, build_tokenizer, pieces
from pixfound_tasks.mini.vision_stage import HEADS, patch_labels


@pytest.mark.parametrize("name", mini.NAMES)
def test_the_weights_are_small_and_in_half_precision(name):
    files = [file for file in mini.weights_folder(name).rglob("*") if file.is_file()]
    assert 2e6 < sum(file.stat().st_size for file in files) < 4e6
    for file in files:
        if file.suffix == ".safetensors":
            assert {weight.dtype for weight in load_file(file).values()} == {torch.float16}


def test_the_tokenizer_is_kept_with_the_weights():
    tokenizer = AutoProcessor.from_pretrained(mini.weights_folder()).tokenizer
    assert tokenizer.get_vocab() == build_processor().tokenizer.get_vocab()
    kept = (mini.weights_folder(mini.SEG_NAME) / "tokenizer.model").read_bytes()
    assert kept == lisa.sentencepiece_model()


def test_weights_are_saved_under_names_that_old_and_new_transformers_read(tmp_path):
    # transformers before 5.6 finds no other, starts with random ones and only warns.
    processor = build_processor()
    train.save(build_model(processor.tokenizer), processor, tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    tower = [name for name in names if name.startswith("vision_tower.")]
    assert len(tower) > 30 and all(name.startswith("vision_tower.vision_model.") for name in tower)
    assert names == set(load_file(mini.weights_folder() / "model.safetensors"))


def test_the_processors_pixels_are_those_of_training(mini_lens):
    image = draw(sample_scene(np.random.RandomState(7))).image
    pixels = prompt_inputs(mini_lens.processor, [[Image.fromarray(image)]], ["Describe the scene."], {})["pixel_values"]
    # The processor resizes with torchvision, training with Pillow: they round differently, by one gray level of 255.
    torch.testing.assert_close(pixels, pixel_values([image]), atol=1.01 / 255 / 0.2613, rtol=0)


def test_the_chat_templates_prompt_is_that_of_training(mini_lens):
    image = Image.new("RGB", (40, 30))
    inputs = prompt_inputs(mini_lens.processor, [[image]], ["Describe the scene."], {})
    packed = pack(build_tokenizer(), [[Dialogue("Describe the scene.", "Yes")]])
    prompt = packed.inputs["input_ids"][0][packed.labels[0] == -100]
    assert inputs["input_ids"][0].tolist() == prompt.tolist()


def test_packed_dialogues_do_not_see_each_other():
    torch.manual_seed(0)
    processor = build_processor()
    model = build_model(processor.tokenizer).eval()
    dialogues = [Dialogue("Describe it.", "The scene shows a red house."), Dialogue("Is it red?", "It is [SEG].")]
    pixels = pixel_values([draw(sample_scene(np.random.RandomState(1))).image])

    def run(asked):
        packed = pack(processor.tokenizer, [asked])
        with torch.no_grad():
            states = model.model(**packed.inputs, pixel_values=pixels, use_cache=False).last_hidden_state
            logits = model.lm_head(states)
        losses = torch.nn.functional.cross_entropy(logits[0, :-1], packed.labels[0, 1:], reduction="none")
        rows, places = packed.mask_states.unbind(1)
        return losses[losses > 0], states[rows, places]

    together, state = run(dialogues)
    (first, _), (second, alone) = (run([dialogue]) for dialogue in dialogues)
    torch.testing.assert_close(together, torch.cat([first, second]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, alone, atol=1e-5, rtol=1e-5)


def test_the_state_of_a_mask_predicts_its_token():
    tokenizer = build_tokenizer()
    packed = pack(tokenizer, [[Dialogue("Is it red?", "Yes"), Dialogue("Where is it?", "It is [SEG].")]])
    ((row, place),) = packed.mask_states.tolist()
    ids = packed.inputs["input_ids"][row].tolist()
    assert tokenizer.convert_ids_to_tokens(ids[place : place + 2]) == ["\u2581is", "[SEG]"]


def test_both_models_see_the_same_language_prompts():
    tokenizer, stage = build_tokenizer(), train.LAST_STAGE
    plain, masked = (sample_batch(tokenizer, stage, which, np.random.RandomState(4)) for which in (False, True))
    assert torch.equal(plain.pixels, masked.pixels)
    length = plain.packed.labels.shape[1]
    for row in range(stage.scenes):
        ids = plain.packed.inputs["input_ids"][row]
        used = int((plain.packed.inputs["position_ids"][row] > 0).nonzero().max()) + 1
        assert torch.equal(ids[:used], masked.packed.inputs["input_ids"][row, :used]) and used <= length


def test_patch_labels_are_of_what_covers_the_patch():
    scene = sample_scene(np.random.RandomState(3))
    labels = patch_labels(scene, draw(scene)).reshape(10, 10, len(HEADS))
    assert (labels < np.asarray(HEADS)).all()
    for thing in scene.things:
        at = labels[10 * thing.cy // (8 * scene.height), 10 * thing.cx // (8 * scene.width)]
        if scene.is_clear(scene.things.index(thing)):
            assert at[-1] == 1


def test_the_mask_loss_is_zero_for_a_perfect_mask_only():
    mask = np.zeros((96, 128), bool)
    mask[20:60, 30:90] = True
    targets, known = mask_targets([mask])
    assert targets.sum() == pytest.approx(mask.sum() / 4, rel=0.05)  # low-resolution pixels have two pixels per side
    assert known.sum() == 64 * 48
    perfect, empty = 40 * (targets - 0.5), torch.full_like(targets, -20)
    assert mask_loss(perfect, targets, known) < 0.01 < 0.4 < mask_loss(empty, targets, known)


def test_the_sentencepiece_model_has_the_ids_of_the_tokenizer(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(lisa.sentencepiece_model())
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    assert [model.id_to_piece(number) for number in range(len(model))] == pieces()
    tokenizer, rng = build_tokenizer(), np.random.RandomState(2)
    for _ in range(100):
        prompt = sample_question(sample_scene(rng), rng).choice_prompt
        assert model.encode(prompt) == tokenizer(f" {prompt}", add_special_tokens=False).input_ids
    assert tokenizer(PREFIX).input_ids[1:4] == model.encode("A chat between")


def test_the_names_of_lisas_weights_are_metas():
    head = MaskHead()
    names = set(lisa.mask_weights(head))
    for name in (
        "visual_model.image_encoder.blocks.2.attn.rel_pos_h", "visual_model.image_encoder.neck.3.bias",
        "visual_model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "visual_model.prompt_encoder.point_embeddings.3.weight", "visual_model.prompt_encoder.not_a_point_embed.weight",
        "visual_model.prompt_encoder.mask_downscaling.6.weight", "visual_model.mask_decoder.iou_token.weight",
        "visual_model.mask_decoder.transformer.layers.1.norm4.weight",
        "visual_model.mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight",
        "visual_model.mask_decoder.output_hypernetworks_mlps.3.layers.0.weight",
        "visual_model.mask_decoder.output_hypernetworks_mlps.3.layers.1.weight",
        "visual_model.mask_decoder.iou_prediction_head.layers.2.bias", "text_hidden_fcs.0.2.weight",
    ):  # fmt: skip
        assert f"model.{name}" in names
    assert not [name for name in names if "layer_norm" in name or "proj_in" in name or "embed.conv" in name]


def test_the_projector_of_lisa_is_the_product_of_the_two(tmp_path):
    model = build_model(build_tokenizer()).eval()
    weights = lisa.language_weights(model)
    features = torch.randn(3, 128)
    expected = model.model.multi_modal_projector(features)
    found = features @ weights["model.mm_projector.weight"].T + weights["model.mm_projector.bias"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folders of two runs of the training's short form."""
    threads, folders = torch.get_num_threads(), []
    with pytest.MonkeyPatch.context() as patch:
        for number in range(2):
            folders.append(tmp_path_factory.mktemp(f"run{number}"))
            options = ["--out", str(folders[-1]), "--scale", "0.002", "--workers", str(number)]
            patch.setattr(sys, "argv", ["train", *options])
            train.main()
    torch.set_num_threads(threads)
    return folders


def test_two_trainings_give_the_same_bytes(trained):
    def digest(folder):
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first, second = map(digest, trained)
    assert first == second
    assert {"mini/model.safetensors", "mini-seg/model.safetensors", "mini-seg/clip/model.safetensors"} <= set(first)


def test_an_interrupted_stage_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    def run(pause, last=None):
        torch.manual_seed(0)
        tokenizer = build_tokenizer()
        model, head = build_model(tokenizer), MaskHead()
        stage = train.LAST_STAGE
        reported = descent.Progress.report

        def report(self, loss):
            if last is not None and self.taken + len(self.losses) == last:
                raise KeyboardInterrupt
            reported(self, loss)

        with monkeypatch.context() as patch:
            patch.setattr(descent, "KEEP_EVERY", 2)
            patch.setattr(descent.Progress, "report", report)
            talk(model, tokenizer, replace(stage, scenes=2, dialogues=2), 1, 5, 0, head, pause)
        return {**model.state_dict(), **head.state_dict()}

    whole, pause = run(None), tmp_path / "stage.pause"
    with pytest.raises(KeyboardInterrupt):
        run(pause, last=3)
    assert pause.exists()
    resumed = run(pause)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_what_training_saves_answers(trained):
    folder = trained[0] / "mini"
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()
    rows = measure.answers(Lens(model, AutoProcessor.from_pretrained(folder)), 1)
    assert all(0 <= share <= 1 for share in rows["all"])
    config = json.loads((trained[0] / "mini-seg" / "config.json").read_text())
    assert config["architectures"] == ["LISAForCausalLM"]
