"""What training saves of `pixfound/mini-seg` is what the loader of LISA's checkpoints makes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pixfound_tasks.mini.batches import pixel_values
from pixfound_tasks.mini.dialogues import SEGMENT, TASKS, Dialogue, sample_dialogues, segment
from pixfound_tasks.mini.lisa import save_lisa
from pixfound_tasks.mini.mask_decoder import MaskHead, sam_pixels
from pixfound_tasks.mini.model import build_model
from pixfound_tasks.mini.packing import pack
from pixfound_tasks.mini.scenes import draw, sample_scene
from pixfound_tasks.mini.tokenizer import build_tokenizer

registry = pytest.importorskip("pixfound_tasks.pixel.families.registry")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """An untrained model with its mask decoder, and the same as it is loaded."""
    torch.manual_seed(0)
    model, head = build_model(build_tokenizer()).eval(), MaskHead().eval()
    folder = tmp_path_factory.mktemp("seg")
    save_lisa(model, head, folder)
    return model, head, registry.load_pixel_model(str(folder))


def test_prompts_have_the_ids_of_training(both):
    _, _, loaded = both
    tokenizer, rng = build_tokenizer(), np.random.RandomState(0)
    shares = dict.fromkeys(TASKS, 1 / len(TASKS))
    for _ in range(40):
        scene = sample_scene(rng)
        for dialogue in [*sample_dialogues(scene, rng, shares, 3), segment(scene, rng)]:
            content = [{"type": "image"}, {"type": "text", "text": dialogue.prompt}]
            text = loaded.processor.apply_chat_template([{"role": "user", "content": content}])
            packed = pack(tokenizer, [[dialogue]])
            trained = packed.inputs["input_ids"][0][packed.labels[0] == -100].tolist()
            image = tokenizer.convert_tokens_to_ids("<image>")
            expected = [loaded.processor.image_token_id if number == image else number for number in trained]
            assert loaded.processor.ids(text) == expected


def test_pixels_states_and_masks_are_those_of_training(both):
    model, head, loaded = both
    image = draw(sample_scene(np.random.RandomState(1))).image
    assert image.shape[0] != image.shape[1], "an image that is not square"
    picture, prompt = Image.fromarray(image), "Can you segment the red car in this image?"
    pixels = pixel_values([image])
    np.testing.assert_allclose(loaded.processor.image_processor([picture]), pixels.numpy(), atol=1e-5)
    packed = pack(build_tokenizer(), [[Dialogue(prompt, SEGMENT)]])
    with torch.no_grad():
        states = model.model(**packed.inputs, pixel_values=pixels, use_cache=False).last_hidden_state
        rows, places = packed.mask_states.unbind(1)
        logits = head(sam_pixels([image]), rows, states[rows, places])
    (read,) = loaded.read_all([picture], [prompt], [SEGMENT])
    # Weights are kept in half precision: 11 bits.
    np.testing.assert_allclose(read.answer.states, states[rows, places].numpy(), atol=2e-2)
    np.testing.assert_allclose(read.answer.low_res_logits, logits.numpy(), atol=2e-3 + 0.02 * float(logits.abs().max()))
    assert read.answer.masks.shape == (1, *image.shape[:2])
