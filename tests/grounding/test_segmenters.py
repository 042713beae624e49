"""SAMs behind one interface, against the plain use of the same classes: one prompt at a time, image encoded anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from grounding import tiny_sams
from PIL import Image
from safetensors.torch import load_file, save_file

from pixfound_tasks import masks
from pixfound_tasks.grounding.segmenters import sam
from pixfound_tasks.grounding.segmenters.base import CHECKPOINTS, DEFAULT, make_segmenter

# The classes that the documentation of transformers names for single images.
CLASSES = {
    "sam": ("SamModel", "SamProcessor"),
    "sam_hq": ("SamHQModel", "SamHQProcessor"),
    "sam2": ("Sam2Model", "Sam2Processor"),
    "sam2_video": ("Sam2Model", "Sam2Processor"),
    "sam3_tracker": ("Sam3TrackerModel", "Sam3TrackerProcessor"),
    "sam3_video": ("Sam3TrackerModel", "Sam3TrackerProcessor"),
}
SIZES = ((50, 80), (200, 31), (3, 40), (1, 1))
PROMPTS = [(0.1, 0.2), (0.3, 0.1, 0.9, 0.8), (0.7, 0.1), (0.0, 0.0), (0.0, 0.0, 1.0, 1.0), (1.0, 1.0)]
TOLERANCE = 1e-4  # of the largest logit: prompts in a batch and alone are not summed in one order


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Such small models run faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=CLASSES)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory) -> Path:
    return tiny_sams.save(kind, tmp_path_factory.mktemp(kind))


@pytest.fixture
def segmenter(kind, folder):
    return make_segmenter(f"{kind.split('_')[0]}:{folder}", device="cpu")


@pytest.fixture
def exact(segmenter):
    """The same with weights in double precision: how much is rounded does not depend on the CPU."""
    segmenter._model.double()
    return segmenter


@pytest.fixture(scope="module")
def plain(kind, folder):
    """Logits (3, height, width) and scores of one prompt on one image, float64, as documented by transformers."""
    model, processor = (getattr(transformers, name).from_pretrained(folder) for name in CLASSES[kind])
    model.double()

    def segment(image, prompt):
        height, width = image.shape[:2]
        pixels = [float(value * side) for value, side in zip(prompt, (width, height) * 2)]
        given = {"input_boxes": [[pixels]]} if len(prompt) == 4 else {"input_points": [[[pixels]]]}
        if len(prompt) == 2:
            given["input_labels"] = [[[1]]]
        inputs = processor(images=Image.fromarray(image), return_tensors="pt", **given)
        inputs["pixel_values"] = inputs["pixel_values"].double()
        with torch.no_grad():
            output = model.eval()(**inputs)
        sizes = [inputs[name] for name in ("original_sizes", "reshaped_input_sizes") if name in inputs]
        found = processor.post_process_masks(output.pred_masks, *sizes, binarize=False)[0]
        return found[0].numpy(), output.iou_scores[0, 0].tolist()

    return segment


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random coloured blocks."""
    blocks = np.random.RandomState(seed).randint(0, 256, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))


@pytest.mark.parametrize("size", SIZES)
def test_many_prompts_give_what_the_plain_use_gives_one_by_one(exact, plain, size):
    image = picture(*size)
    exact.set_image(image)
    found = exact.segment(PROMPTS)
    assert [len(candidates) for candidates in found] == [3] * len(PROMPTS)
    for prompt, candidates in zip(PROMPTS, found):
        logits, scores = plain(image, prompt)
        np.testing.assert_allclose([candidate.score for candidate in candidates], scores, atol=TOLERANCE)
        assert all(candidate.mask["size"] == list(size) for candidate in candidates)
        differs = np.array([masks.decode(candidate.mask) for candidate in candidates]) != (logits > 0)
        assert not differs[abs(logits) > TOLERANCE * abs(logits).max()].any()


def test_prompts_matter_and_masks_are_neither_full_nor_empty(segmenter):
    # Without this the test above could pass on masks that are all alike.
    segmenter.set_image(picture(50, 80))
    found = [candidate.mask for candidates in segmenter.segment(PROMPTS) for candidate in candidates]
    assert len({mask["counts"] for mask in found}) > 12
    assert sum(0 < masks.area(mask) < 4000 for mask in found) > 12


def test_one_mask_for_each_prompt_if_asked(kind, folder):
    name = f"{kind.split('_')[0]}:{folder}"
    single, several = (make_segmenter(name, "cpu", multimask=multimask) for multimask in (False, True))
    for each in (single, several):
        each.set_image(picture(50, 80))
    found = single.segment(PROMPTS)
    assert [len(candidates) for candidates in found] == [1] * len(PROMPTS)
    # SAM 2 and 3 give the best of the three instead if their single mask is unstable.
    assert (found[0][0] not in several.segment(PROMPTS)[0]) or kind.startswith(("sam2", "sam3"))


def test_a_segmenter_of_several_masks_has_no_single_one():
    with pytest.raises(ValueError, match="expected a SAM for mask=single, but got 'region'"):
        make_segmenter("region", multimask=False)


def test_an_image_is_encoded_once_and_prompts_are_decoded_in_bounded_batches(exact, monkeypatch):
    segmenter = exact
    monkeypatch.setattr(sam, "PROMPTS_PER_FORWARD", 3)
    calls = {"vision_encoder": 0, "mask_decoder": 0}

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    for name in calls:
        getattr(segmenter._model, name).register_forward_hook(count(name))
    first, second = picture(50, 80), picture(40, 30, seed=1)
    segmenter.set_image(first)
    whole = segmenter.segment(PROMPTS)
    # Four points and two boxes, three at most at a time: two batches and one.
    assert calls == {"vision_encoder": 1, "mask_decoder": 3}
    assert segmenter.segment([]) == []
    assert calls == {"vision_encoder": 1, "mask_decoder": 3}
    again = [segmenter.segment([prompt])[0] for prompt in PROMPTS]
    assert calls == {"vision_encoder": 1, "mask_decoder": 3 + len(PROMPTS)}
    scores = [[[candidate.score for candidate in candidates] for candidates in found] for found in (again, whole)]
    np.testing.assert_allclose(*scores, atol=TOLERANCE)

    segmenter.set_image(second)
    later = segmenter.segment(PROMPTS)
    assert calls["vision_encoder"] == 2 and all(c.mask["size"] == [40, 30] for found in later for c in found)
    segmenter.set_image(first)
    assert segmenter.segment(PROMPTS) == whole


def test_half_precision_only_where_asked(kind, folder, segmenter):
    assert segmenter._model.dtype == torch.float32 and not segmenter._model.training
    half = make_segmenter(segmenter.name, device="cpu", dtype="bfloat16")
    for one in (segmenter, half):
        one.set_image(picture(50, 80))
    found, expected = (
        np.array([masks.decode(c.mask) for candidates in one.segment(PROMPTS) for c in candidates])
        for one in (half, segmenter)
    )
    assert half._model.dtype == torch.bfloat16
    assert (found == expected).mean() > 0.7  # chance is about 0.5


def test_an_incomplete_checkpoint_is_refused(kind, folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "iou_prediction_head" in name)
    del weights[lost]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="which lacks 1 of them .*iou_prediction_head.*; take a complete checkpoint"):
        make_segmenter(f"{kind.split('_')[0]}:{tmp_path}")


def test_a_checkpoint_of_another_family_is_refused_and_the_right_family_named(kind, folder):
    right = kind.split("_")[0]
    for family in set(CHECKPOINTS) - {right}:
        with pytest.raises(
            ValueError, match=f"expected a checkpoint of .* but got .* which is of {kind}; write {right}:"
        ):
            make_segmenter(f"{family}:{folder}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("magic", r"expected the segmenter to be one of \['region', 'sam', 'sam2', 'sam3'\], but got 'magic'"),
        ("regoin", r"but got 'regoin'; did you mean 'region'\?"),
        ("sam22:folder", r"but got 'sam22:folder'"),
        ("region:folder", r"but got 'region:folder'; did you mean 'region'\?"),
        ("sam:", r"expected a checkpoint after 'sam:', but got none"),
        (
            "sam:/no/such/folder",
            r"'/no/such/folder', which cannot be loaded .*sam:FOLDER.*segmenter=region or PIXFOUND_",
        ),
    ],
)
def test_what_cannot_be_had_is_said_with_what_to_do(name, message):
    with pytest.raises(ValueError, match=message):
        make_segmenter(name)


def test_a_folder_that_is_no_sam_is_refused(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="expected a checkpoint of sam or sam_hq after 'sam:'.* which is of bert$"):
        make_segmenter(f"sam:{tmp_path}")


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the segmenter's dtype to be one of .*did you mean 'float16'"):
        make_segmenter(f"sam:{tmp_path}", dtype="float61")


def test_names_go_into_the_provenance(kind, folder, segmenter):
    assert segmenter.name == f"{kind.split('_')[0]}:{folder}"
    assert make_segmenter("region").name == "region"
    assert f"sam:{CHECKPOINTS['sam']}" == DEFAULT


def test_a_segmenter_without_weights_needs_no_torch():
    code = (
        "import sys; from pixfound_tasks.grounding.segmenters.base import make_segmenter; make_segmenter('region'); "
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
