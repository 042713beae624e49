"""Sa2VA on InternVL against what the authors' own code gave for the same tiny weights."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from authors_sam2 import open_archives

from pixfound_tasks.pixel.families.registry import Options, load_pixel_model
from pixfound_tasks.pixel.sam2_decoder import SA2VA, sam2_pixels


@pytest.fixture(scope="module")
def archives(shared, tmp_path_factory):
    return open_archives(shared, "sa2va", tmp_path_factory.mktemp("sa2va"))


def prompt_ids(model, image, text):
    content = [{"type": "image"}, {"type": "text", "text": text}]
    return model.processor.ids(model.processor.apply_chat_template([{"role": "user", "content": content}]), image)


def test_ids_texts_and_masks_are_the_authors(archives):
    every = [case for archive in archives for case in archive.cases.values()]
    assert {len(case["masks"]) for case in every} >= {0, 1, 2}  # none, one, several
    assert len({case["image"] for case in every}) >= 3  # square, wide, tall
    for archive in archives:
        model = archive.model()
        for name, case in archive.cases.items():
            image = archive.image(case)
            (answer,) = model.answer_all([image], [case["text"]], max_new_tokens=64)
            archive.check_ids(case, answer, model.processor.tokenizer)
            if case["masks"]:
                archive.check_masks(name, answer)
            else:
                assert answer.masks.shape == (0, image.height, image.width)
            phrases = [answer.text[slice(*chars)] for chars in answer.chars if chars]
            marked = case["prediction"].split("<p>")[1:]
            assert phrases == [part.split("</p>")[0].strip() for part in marked]
            assert "<|" not in answer.text


def test_prompts_and_pixels_are_the_authors(archives):
    for archive in archives:
        model = archive.model()
        for name, case in archive.cases.items():
            image = archive.image(case)
            ids = prompt_ids(model, image, case["text"])
            assert ids == archive.arrays[f"{name}/input_ids"].tolist()
            assert hashlib.sha256(np.array(ids, "<i8").tobytes()).hexdigest() == case["input_ids_sha256"]
            assert ids.count(model.processor.image_token_id) == case["n_img_context"]
            tiles, expected = model.processor.image_processor([image]), case["pixel_values"]
            assert list(tiles.shape) == expected["shape"]
            np.testing.assert_allclose(tiles.mean((1, 2, 3)), expected["per_tile_mean"], atol=1e-5)
            np.testing.assert_allclose(tiles[:, 0, 0, :8], expected["per_tile_first_red_row"], atol=1e-5)
            if not (of_sam := case.get("g_pixel_values")):
                continue  # an answer without masks
            seen = sam2_pixels(image, SA2VA)
            np.testing.assert_allclose(seen.ravel()[:8], of_sam["first"], atol=1e-5)
            np.testing.assert_allclose((seen.mean(), seen.std()), (of_sam["mean"], of_sam["std"]), atol=1e-5)


def test_the_images_tokens_are_the_authors(archives):
    for archive in archives:
        model = archive.model()
        for name, case in archive.cases.items():
            pixels = torch.from_numpy(model.processor.image_processor([archive.image(case)]))
            with torch.inference_mode():
                found = model.model.get_image_features(pixels).pooler_output
            np.testing.assert_allclose(found[0][:4], archive.arrays[f"{name}/image_embeds_first4"], atol=1e-4)
            assert list(found.shape) == case["image_embeds_mlp1"]["shape"]
            np.testing.assert_allclose(found.std(), case["image_embeds_mlp1"]["std"], atol=1e-4)


def test_batches_and_attention_are_of_the_same_answers(archives):
    for archive in archives:
        model = archive.model()
        names = [name for name, case in archive.cases.items() if case["masks"]][-3:] + [
            name for name, case in archive.cases.items() if not case["masks"]
        ]
        cases = [archive.cases[name] for name in names]
        images = [archive.image(case) for case in cases]
        found = model.look_all(images, [case["text"] for case in cases], max_new_tokens=64)
        assert len({case["n_input_ids"] for case in cases}) > 1  # padded on the left
        for name, case, (answer, look) in zip(names, cases, found):
            archive.check_ids(case, answer, model.processor.tokenizer)
            if case["masks"]:
                archive.check_masks(name, answer)
            assert look.rows.shape == (len(answer.ids), case["n_img_context"]) and np.isfinite(look.rows).all()
            assert (look.text, look.token_chars) == (answer.text, answer.token_chars)


def test_a_given_answer_has_the_masks_that_it_has_when_generated(archives):
    for archive in archives:
        model = archive.model()
        name, case = next((name, case) for name, case in archive.cases.items() if len(case["masks"]) == 2)
        said = case["prediction"].removesuffix("<|im_end|>").removesuffix("<|end|>")
        (found,) = model.read_all([archive.image(case)], [case["text"]], [said])
        archive.check_masks(name, found.answer)


def test_a_mask_token_that_ends_an_answer_has_no_mask(archives):
    for archive in archives:
        model = archive.model()
        for case in archive.cases.values():
            at = case["seg_positions_in_generated"]
            (answer,) = model.answer_all([archive.image(case)], [case["text"]], max_new_tokens=at[0] + 1 if at else 2)
            assert len(answer.masks) == 0


def test_another_template_ends_answers_at_its_own_words(archives, tmp_path):
    """phi3_chat's `<|end|>` is several tokens of a Qwen's tokenizer."""
    archive = archives[0]
    model = load_pixel_model(
        str(archive.folder / "checkpoint"), options=Options(torch.float32, more={"template": "phi3-chat"})
    )
    tokenizer, seg = model.processor.tokenizer, model.mask_token
    end = tokenizer("<|end|>", add_special_tokens=False).input_ids
    assert len(end) > 1
    case = next(iter(archive.cases.values()))
    image = archive.image(case)
    text = tokenizer.decode(prompt_ids(model, image, "Where?")).replace("<IMG_CONTEXT>", "")
    assert text == "<|user|>\n<img></img>\nWhere?<|end|>\n<|assistant|>\n"
    words = tokenizer("It is", add_special_tokens=False).input_ids
    tokens = [*words, seg, *end, *words, *words]

    def written(batch, ids):
        return [tokens[len(ids) - start]]

    start = len(prompt_ids(model, image, "Where?"))
    (answer,) = model.answer_all([image], ["Where?"], max_new_tokens=20, prefix_allowed_tokens_fn=written)
    assert list(answer.ids) == [*words, seg] and len(answer.masks) == 1 and answer.text == "It is"
    (look,) = model.lens.look_all([image], ["Where?"], max_new_tokens=20, prefix_allowed_tokens_fn=written)
    assert look.text == "It is" and len(look.rows) == len(words) + 1
    with pytest.raises(ValueError, match="template to be one of .*'qwen_chat'"):
        load_pixel_model(str(archive.folder / "checkpoint"), options=Options(more={"template": "qwen_chat2"}))


def test_a_language_model_that_transformers_does_not_have_is_an_error(archives, tmp_path):
    config = json.loads((archives[0].folder / "checkpoint" / "config.json").read_text())
    config["llm_config"]["architectures"] = ["InternLM2ForCausalLM"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="got InternLM2ForCausalLM: transformers has no class for it"):
        load_pixel_model(str(tmp_path))
