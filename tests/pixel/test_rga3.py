"""RGA3 against what the authors' own code gave for the same tiny weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from authors_sam2 import open_archives

from pixfound_tasks.pixel.families.registry import Options, load_pixel_model
from pixfound_tasks.pixel.families.rga3 import ANSWER
from pixfound_tasks.pixel.sam2_decoder import RGA3, sam2_pixels


@pytest.fixture(scope="module")
def archives(shared, tmp_path_factory):
    return open_archives(shared, "rga3", tmp_path_factory.mktemp("rga3"))


def images_only(archive):
    """The cases without videos of several frames, which this package does not run, and our model for each."""
    for name, case in archive.cases.items():
        if case.get("n_frames", 1) == 1:
            yield name, case, archive.model(passed_as=case["kind"], given=case.get("forced_answer", ANSWER))


def test_ids_texts_and_masks_are_the_authors(archives):
    every = [case for archive in archives for _, case, _ in images_only(archive)]
    assert {len(case.get("masks", ())) for case in every} >= {1, 2}
    assert {case["kind"] for case in every} == {"image", "video"}
    assert len({case["image"] for case in every}) >= 3  # square, wide, tall
    for archive in archives:
        for name, case, model in images_only(archive):
            (answer,) = model.answer_all([archive.image(case)], [case["prompt"]], max_new_tokens=64)
            archive.check_ids(case, answer, model.processor.tokenizer)
            assert answer.text == case["generated_text"].removesuffix("<|im_end|>")
            if case.get("masks"):
                archive.check_masks(name, answer)
            else:
                assert len(answer.masks) == 1  # there is always one
            assert answer.chars == (None,) * len(answer.masks)


def test_prompts_and_pixels_are_the_authors(archives):
    for archive in archives:
        for name, case, model in images_only(archive):
            if not case.get("masks"):
                continue
            image = archive.image(case)
            inputs = model.lens.inputs([(image,)], [case["prompt"]])
            ids, expected = inputs["input_ids"][0].tolist(), archive.arrays[f"{name}/input_ids"].tolist()
            after = model.processor.tokenizer(case["forced_answer"], add_special_tokens=False).input_ids
            assert expected[: len(ids) + len(after)] == ids + after
            assert inputs["image_grid_thw"].tolist() == case["grid_thw"]
            pixels = inputs["pixel_values"]
            assert list(pixels.shape) == case["pixel_values"]["shape"]
            np.testing.assert_allclose(pixels.mean(), case["pixel_values"]["mean"], atol=1e-5)
            with torch.inference_mode():
                features = model.model.get_image_features(pixels, inputs["image_grid_thw"]).pooler_output[0]
            np.testing.assert_allclose(features[:4], archive.arrays[f"{name}/visual_tokens_first4"], atol=1e-4)
            seen, of_sam = sam2_pixels(image, RGA3), case["images_sam"]
            np.testing.assert_allclose((seen.mean(), seen.std()), (of_sam["mean"], of_sam["std"]), atol=1e-5)


def test_batches_and_attention_are_of_the_generated_answers(archives):
    for archive in archives:
        chosen = [
            (name, case)
            for name, case, _ in images_only(archive)
            if case["kind"] == "image" and case.get("forced_answer", ANSWER) == ANSWER
        ]
        model = archive.model(passed_as="image", given=ANSWER)
        images = [archive.image(case) for _, case in chosen]
        found = model.look_all(images, [case["prompt"] for _, case in chosen], max_new_tokens=64)
        assert len({case.get("n_input_ids") for _, case in chosen}) > 1  # padded on the left
        for (name, case), (answer, look) in zip(chosen, found):
            archive.check_ids(case, answer, model.processor.tokenizer)
            if case.get("masks"):
                archive.check_masks(name, answer)
            assert len(look.rows) == len(answer.ids) and np.isfinite(look.rows).all()
            assert look.text == answer.text and look.rows.shape[1] == len(look.geometry.boxes)


def test_a_given_answer_is_read_with_its_masks_and_attention(archives):
    for archive in archives:
        for name, case, model in images_only(archive):
            if not case.get("masks"):
                continue
            (found,) = model.read_all([archive.image(case)], [case["prompt"]], [case["forced_answer"]])
            archive.check_masks(name, found.answer)
            assert found.look.text == case["forced_answer"] and len(found.look.rows) == len(found.answer.ids)
            (other,) = model.read_all([archive.image(case)], [case["prompt"]], ["A circle."])
            assert len(other.answer.masks) == 0


def test_options_are_checked(archives):
    folder = str(archives[0].folder / "checkpoint")
    with pytest.raises(ValueError, match="passed_as to be one of .*'video'"):
        load_pixel_model(folder, options=Options(more={"passed_as": "frames"}))
    with pytest.raises(ValueError, match=r"a given answer with \[SEG\]"):
        load_pixel_model(folder, options=Options(more={"given": "Sure."}))
