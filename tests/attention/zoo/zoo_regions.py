"""Token boxes proved by changed regions of the image, for any architecture of the zoo.

A small region inside a token's box is brightened. Of the tokens of each size, the one whose state at the entry of the
decoder changes most must be one whose box holds the region. Attention inside the vision tower is made zero meanwhile,
so that a patch sees only itself; attention that pools or resamples is left as it is, unless its queries are patches.

Tokens behind convolutions see far beyond their boxes. Of those, the middle of all answers must lie within two boxes of
the region, and on average within half a box, once the pull to the middle of the image is taken out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from attention.zoo.zoo_build import Toy
from attention.zoo.zoo_queries import READERS, placed_patches
from PIL import Image

from pixfound_tasks.attention.recorder import image_attention_modules
from pixfound_tasks.hosts.attention_modules import text_decoder

_POOLING = re.compile(r"pool|resampl|perceiver|qformer|q_former|projector|connector|cross", re.IGNORECASE)
_PLACED_QUERIES = ("granite4_vision",)  # made of patches; what they read beside these is mixing, too
_PULL = (0.5, 1.25)  # how far answers of convolutions move as regions move by a box
_FEWEST = 4  # tokens of a group whose answers have a middle
_STATES = ("key_value_states", "encoder_hidden_states", "cross_attention_states")


class RegionsVerdict(NamedTuple):
    """How many regions were changed, in how many of them a token elsewhere answered most, and the first of those."""

    tried: int
    wrong: int
    first: str


def check_regions(
    toy: Toy,
    boxes: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]],
    count: int = 8,
    reads_patches: bool = False,
    is_convolved: bool = False,
) -> RegionsVerdict:
    """Check boxes of the first image, (tokens, 4) for each image of one prompt.

    They are those of its tokens, of the patches that its tokens read, or of the cells whose codes its tokens are.
    Behind convolutions, tokens also see what lies beside their boxes.
    """
    random = np.random.RandomState(3)
    images = [random.randint(60, 120, (*size, 3)).astype(np.uint8) for size in sizes]
    if reads_patches or toy.name in READERS:
        boxes = [each[~np.isnan(each[:, 0])] for each in boxes]
    own = boxes[0]
    placed = np.flatnonzero(~np.isnan(own[:, 0]))
    groups = _groups(own[placed])
    model, states = _without_mixing(toy), token_states
    if reads_patches or toy.name in READERS:
        states = placed_patches(toy, model, sizes, sum(map(len, boxes)))
    before = states(toy, model, images)
    if len(before) != sum(map(len, boxes)):
        return RegionsVerdict(0, 1, f"{sum(map(len, boxes))} boxes for {len(before)} tokens")
    regions = _regions(own[placed], groups, sizes[0], random, max(count, 24) if is_convolved else count)
    changes = []
    for x0, y0, x1, y1 in regions:
        changed = [image.copy() for image in images]
        changed[0][y0:y1, x0:x1] += 120
        changes.append((states(toy, model, changed) - before).norm(dim=1).numpy()[: len(own)][placed])
    if is_convolved:
        return _centered(own[placed], groups, regions, np.array(changes))
    wrong, first = 0, ""
    for region, change in zip(regions, changes):
        misled = [box for group in groups if (box := _misled(own[placed][group], change[group], region)) is not None]
        wrong += bool(misled)
        first = first or (f"{region} changes {misled[0]} most" if misled else "")
    return RegionsVerdict(len(regions), wrong, first)


def _centered(
    boxes: np.ndarray, groups: list[np.ndarray], regions: list[tuple[int, int, int, int]], changes: np.ndarray
) -> RegionsVerdict:
    """Whether the middle of all answers to each region, (regions, tokens), lies there."""
    wrong, first = np.zeros(len(regions), bool), ""
    middles = np.array([[(x0 + x1) / 2, (y0 + y1) / 2] for x0, y0, x1, y1 in regions])
    for group in (group for group in groups if len(group) >= _FEWEST):
        centers, side = (
            (boxes[group, :2] + boxes[group, 2:]) / 2,
            np.median(boxes[group, 2:] - boxes[group, :2], axis=0),
        )
        weights = changes[:, group] ** 2
        answers = ((weights @ centers) / weights.sum(axis=1, keepdims=True) - centers.mean(axis=0)) / side
        asked = (middles - centers.mean(axis=0)) / side
        for axis in (0, 1):
            pull = np.clip(np.polyfit(asked[:, axis], answers[:, axis], 1)[0], *_PULL)
            off = answers[:, axis] / pull - asked[:, axis]
            far = (np.abs(off) > 2) | (np.abs(np.median(off)) > 0.5)
            first = first or (f"{regions[far.argmax()]} is answered elsewhere along axis {axis}" if far.any() else "")
            wrong |= far
    return RegionsVerdict(len(regions), int(wrong.sum()), first)


def _misled(boxes: np.ndarray, change: np.ndarray, region: tuple[int, int, int, int]) -> list[float] | None:
    """The box of the token that changes most if it does not hold the region, though another of these boxes does."""
    holds = _hold(boxes, region)
    return boxes[change.argmax()].round(1).tolist() if holds.any() and not holds[change.argmax()] else None


def token_states(toy: Toy, model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
    """The state of each image token of one prompt as it enters the decoder, (tokens, width)."""
    inputs = toy.inputs([[Image.fromarray(image) for image in images]], ["ab"])
    modules = image_attention_modules(model)
    seen: list[torch.Tensor] = []

    def take(module: Any, args: Any, kwargs: Any) -> None:
        states = next((kwargs[name] for name in _STATES if torch.is_tensor(kwargs.get(name))), None)
        if states is None:
            states = args[0] if args else kwargs["hidden_states"]
        seen.append(states.detach())

    entry = modules[0].module if modules[0].is_crossing else _first_layer(model, modules[0].path)
    mask = toy.image_tokens(inputs)
    if toy.reads_encoder and mask is not None:
        entry = _first_layer(model.get_encoder(), None)
    hook = entry.register_forward_pre_hook(take, with_kwargs=True)
    try:
        with torch.inference_mode():
            model.generate(**inputs, do_sample=False, max_new_tokens=1)
    finally:
        hook.remove()
    states = seen[0]
    if states.ndim == 4 and mask is not None and states.shape[2] == mask.shape[1]:
        states = states[0]  # Gemma 3n's layers get several versions of the states, the first as it entered
    states = states.flatten(2)
    if modules[0].is_crossing and not (toy.reads_encoder and mask is not None):
        return states.flatten(0, 1)
    return states[0, : mask.shape[1]][mask[0]]


def _first_layer(model: Any, path: str | None) -> Any:
    """The first layer of a decoder (or of an encoder, without a path): the item 0 of its list of layers."""
    if path is None:
        decoder = model
        path = next(name for name, _ in model.named_modules() if re.search(r"(^|\.)0\.", name) and "vision" not in name)
    else:
        decoder = text_decoder(model)
    matched = re.match(r"(.*?)(\d+)(?=\.|$)", path)
    assert matched is not None
    return decoder.get_submodule(matched[1] + "0")


def _without_mixing(toy: Toy) -> Any:
    """A copy of the model whose vision attention adds nothing."""
    model = copy.deepcopy(toy.model)
    inside = {id(module) for module in text_decoder(model).modules()}
    own = {id(one.module) for one in image_attention_modules(model)}
    for path, module in model.named_modules():
        towers = id(module) not in inside or re.search(r"vision|image|img", path)
        kind = type(module).__name__.lower()
        attends = ("attention" in kind or "attnblock" in kind) and not _POOLING.search(path + kind)
        attends |= toy.name in _PLACED_QUERIES and kind.endswith("multiheadattention")
        if towers and attends and id(module) not in own:
            for parameter in module.parameters():
                parameter.data.zero_()
    return model


def _groups(boxes: np.ndarray) -> list[np.ndarray]:
    """Indices of boxes of about the same shape."""
    shapes, rest, groups = boxes[:, 2:] - boxes[:, :2], np.arange(len(boxes)), []
    while len(rest):
        same = (np.abs(shapes[rest] - shapes[rest[0]]) < 0.12 * shapes[rest[0]] + 1e-3).all(axis=1)
        groups.append(rest[same])
        rest = rest[~same]
    return groups


def _hold(boxes: np.ndarray, region: tuple[int, int, int, int]) -> np.ndarray:
    return (boxes[:, :2] <= np.add(region[:2], 0.5)).all(axis=1) & (boxes[:, 2:] >= np.subtract(region[2:], 0.5)).all(
        axis=1
    )


def _regions(
    boxes: np.ndarray, groups: list[np.ndarray], size: tuple[int, int], random: np.random.RandomState, count: int
) -> list[tuple[int, int, int, int]]:
    """Random regions of the image, each inside a box of the smallest kind that is not rare."""
    if not groups:
        return []
    common = [group for group in groups if len(group) >= 0.15 * len(boxes)] or groups
    finest = min(common, key=lambda group: float(np.prod(boxes[group[0], 2:] - boxes[group[0], :2])))
    side = (0.5 * (boxes[finest, 2:] - boxes[finest, :2]).min(axis=0)).astype(int).clip(2)
    height, width = size
    found: list[tuple[int, int, int, int]] = []
    for _ in range(4000):
        x, y = random.randint(0, max(1, width - side[0] + 1)), random.randint(0, max(1, height - side[1] + 1))
        region = (int(x), int(y), int(x + side[0]), int(y + side[1]))
        if _hold(boxes[finest], region).any() and len(found) < count:
            found.append(region)
    return found
