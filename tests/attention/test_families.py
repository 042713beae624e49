"""Token boxes proved against the real processors and models, with no expectation made by hand.

A small region of an image is changed. The image tokens whose embedding, as it enters the language decoder, changes
most must be those whose boxes hold the region. The attention of the vision towers is zeroed, so that a token sees its
own patch only.
"""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest
import torch
from attention.families import FAMILIES, build_family
from attention.hosts import skip_if_broken
from attention.measuring import ALIASES
from PIL import Image

from pixfound_tasks.attention.families.registry import GEOMETRIES, token_geometries
from pixfound_tasks.attention.token_grids import layers_by_shape

SIZES = {  # (height, width)
    "square": (56, 56),
    "wide": (40, 100),
    "tall": (100, 44),
    "tiny": (17, 33),
    "odd": (133, 201),
    "beyond the tile limit": (90, 400),
    "large": (310, 270),
}
cases = pytest.mark.parametrize("name, size", [(name, SIZES[size]) for name in FAMILIES for size in SIZES])


@cache
def blinkered(name):
    """A family's model whose vision tower does not mix its patches."""
    model = copy.deepcopy(build_family(name).model)
    for path, module in model.named_modules():
        if ("vision" in path or "visual" in path) and type(module).__name__.endswith("Attention"):
            for parameter in module.parameters():
                parameter.data.zero_()
    return model


def embeddings(name, *images):
    """What the decoder gets for each image token, (tokens, width), and the geometries that fit their number."""
    skip_if_broken(name)
    family, model = build_family(name), blinkered(name)
    options = {"return_tensors": "pt", **family.images_kwargs}
    text = family.placeholder * len(images) + "ab"
    inputs = family.processor(images=[[Image.fromarray(image) for image in images]], text=[text], **options)
    seen = {}
    hook = model.get_decoder().register_forward_pre_hook(lambda _, args, kwargs: seen.update(kwargs), with_kwargs=True)
    with torch.inference_mode():
        model(**inputs)
    hook.remove()
    if model.config.model_type == "mllama":
        tokens = seen["cross_attention_states"].flatten(0, 1)
    else:
        tokens = seen["inputs_embeds"][inputs["input_ids"] == model.config.image_token_id]
    sizes = [image.shape[:2] for image in images]
    return tokens, token_geometries(model.config, family.processor, sizes, len(tokens), family.images_kwargs)


def noise_image(size, seed=0):
    return np.random.RandomState(seed).randint(60, 120, (*size, 3)).astype(np.uint8)


def brightened(image, region):
    x0, y0, x1, y1 = region
    changed = image.copy()
    changed[y0:y1, x0:x1] += 120
    return changed


def contain(boxes, region, slack=1e-6):
    return (boxes[:, :2] <= np.add(region[:2], slack)).all(axis=1) & (
        boxes[:, 2:] >= np.subtract(region[2:], slack)
    ).all(axis=1)


def meet(boxes, region):
    return (boxes[:, :2] < np.array(region[2:])).all(axis=1) & (boxes[:, 2:] > np.array(region[:2])).all(axis=1)


def some_regions(geometry, count=6):
    """Small random regions of an image, each within a box of the smallest kind."""
    rng = np.random.RandomState(1)
    height, width = geometry.size
    boxes = geometry.boxes[~np.isnan(geometry.boxes[:, 0])]
    finest = boxes[layers_by_shape(boxes)[-1]]
    side = max(2, int(0.6 * (finest[0, 2:] - finest[0, :2]).min()))
    regions = []
    for _ in range(2000):
        x, y = rng.randint(0, width - side + 1), rng.randint(0, height - side + 1)
        region = (x, y, x + side, y + side)
        if contain(finest, region).any():
            regions.append(region)
        if len(regions) == count:
            break
    assert regions
    return regions


@cases
def test_a_changed_region_changes_the_tokens_whose_boxes_hold_it(name, size):
    image = noise_image(size)
    before, (geometry,) = embeddings(name, image)
    placed = np.flatnonzero(~np.isnan(geometry.boxes[:, 0]))
    for region in some_regions(geometry):
        after, _ = embeddings(name, brightened(image, region))
        change = (after - before).norm(dim=1).numpy()[placed]
        boxes = geometry.boxes[placed]
        # Of tiles and thumbnail each for itself: how strong a change is does not compare between them.
        for layer in layers_by_shape(boxes):
            if not meet(boxes[layer], region).any():
                continue
            most = change[layer].argmax()
            holds = contain(boxes[layer], region)
            assert holds[most] if holds.any() else meet(boxes[layer], region)[most]


@cases
def test_exactly_the_tokens_with_a_place_in_the_image_see_it(name, size):
    before, (geometry,) = embeddings(name, noise_image(size))
    after, _ = embeddings(name, 255 - noise_image(size, seed=1))
    changed = ((after - before).norm(dim=1) > 1e-4).numpy()
    height, width = size
    boxes = geometry.boxes
    inside = np.minimum(boxes[:, 2:], (width, height)) - np.maximum(boxes[:, :2], 0)
    inside_fraction = (inside / (boxes[:, 2:] - boxes[:, :2])).min(axis=1)  # NaN where there is no box
    assert changed[inside_fraction > 0.1].all()
    assert not changed[np.isnan(inside_fraction) | (inside_fraction < -0.1)].any()


@cases
def test_what_no_box_holds_changes_nothing(name, size):
    image = noise_image(size)
    before, (geometry,) = embeddings(name, image)
    unseen = np.isnan(geometry.paint(np.zeros(len(geometry.boxes), np.float32)))
    if not unseen.any():
        return
    changed = image.copy()
    changed[unseen] += 120
    after, _ = embeddings(name, changed)
    everything, _ = embeddings(name, image + 120)
    # Resampling lets a little of the pixels beside a box into it.
    assert (after - before).norm(dim=1).max() < 0.5 * (everything - before).norm(dim=1).max()


@pytest.mark.parametrize("name", FAMILIES)
def test_images_of_one_prompt_keep_to_their_own_tokens(name):
    first, second = noise_image((56, 56)), noise_image((100, 44), seed=1)
    before, (one, two) = embeddings(name, first, second)
    region = some_regions(two, count=1)[0]
    after, _ = embeddings(name, first, brightened(second, region))
    change = (after - before).norm(dim=1).numpy()
    assert change[: len(one.boxes)].max() < 1e-4
    boxes = two.boxes[~np.isnan(two.boxes[:, 0])]
    change = change[len(one.boxes) :][~np.isnan(two.boxes[:, 0])]
    finest = layers_by_shape(boxes)[-1]
    assert contain(boxes[finest], region)[change[finest].argmax()]


def test_no_family_is_registered_without_these_tests():
    # Families that share a rule are measured, see test_measured_geometry.
    assert set(GEOMETRIES) == {build_family(name).model.config.model_type for name in FAMILIES} | set(ALIASES)
