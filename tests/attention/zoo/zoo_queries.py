"""What the queries of resamplers and Q-formers read, found by the names of modules.

states = patch_states(toy, model, images)     # (patches, width): what the image tokens of a prompt choose from
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from attention.zoo.zoo_build import Toy
from PIL import Image
from torch.nn import functional


class Reader(NamedTuple):
    """The last name of the module that gets patches, and the keyword under which it does, by position 0 otherwise.

    A quantizer gets the cells whose codes it chooses, (..., width, high, wide). Patches that look beyond their cells
    also answer where the picture is padded; `pixels` is then the last name of the module that gets pixel values, once
    for each call with patches, whose second half are queries.
    """

    module: str
    keyword: str = ""
    is_quantizer: bool = False
    pixels: str = ""


READERS = {
    "idefics2": Reader("perceiver_resampler", "context"),
    "blip-2": Reader("qformer", "encoder_hidden_states"),
    "blip-2 with t5": Reader("qformer", "encoder_hidden_states"),
    "instructblip": Reader("qformer", "encoder_hidden_states"),
    "instructblipvideo": Reader("qformer", "encoder_hidden_states"),
    "aria": Reader("multi_modal_projector"),
    "kosmos-2": Reader("image_to_text_projection"),
    "kosmos-2.5": Reader("image_to_text_projection"),
    "deepseek_ocr2": Reader("vision_encoder", "inputs_embeds", pixels="sam_encoder"),
    "chameleon": Reader("quantize", is_quantizer=True),
    "emu3": Reader("quantize", is_quantizer=True),
    "apertus1p5": Reader("quantize", is_quantizer=True),
}


def patch_states(toy: Toy, model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
    """The states of all patches of one prompt, of one image after another, (patches, width)."""
    inputs = toy.inputs([[Image.fromarray(image) for image in images]], ["ab"])
    seen = _given(model, READERS[toy.name].module, READERS[toy.name].keyword, inputs)
    if READERS[toy.name].is_quantizer:
        return torch.cat([cells for states in seen for cells in _cells(states, inputs)])
    return torch.cat([states.flatten(0, 1) for states in seen])


def _given(model: Any, name: str, keyword: str, inputs: Any) -> list[torch.Tensor]:
    """What a module is given in each of its calls, by keyword or position 0."""
    seen: list[torch.Tensor] = []

    def take(module: Any, args: Any, kwargs: Any) -> None:
        seen.append((kwargs[keyword] if keyword in kwargs else args[0]).detach())

    reader = next(module for path, module in model.named_modules() if path.rsplit(".", 1)[-1] == name)
    hook = reader.register_forward_pre_hook(take, with_kwargs=True)
    try:
        with torch.inference_mode():
            model.generate(**inputs, do_sample=False, max_new_tokens=1)
    finally:
        hook.remove()
    return seen


def _with_picture(toy: Toy, model: Any, pictures: Sequence[Sequence[np.ndarray]]) -> torch.Tensor:
    """Whether the pixel values of each patch differ between pictures, (patches and queries,)."""
    inputs = [toy.inputs([[Image.fromarray(image) for image in images]], ["ab"]) for images in pictures]
    pixels = [_given(model, READERS[toy.name].pixels, "pixel_values", each) for each in inputs]
    patches = _given(model, READERS[toy.name].module, READERS[toy.name].keyword, inputs[0])
    found = []
    for before, after, states in zip(*pixels, patches, strict=True):
        side = round((before[0, 0].numel() / (states.shape[1] / 2)) ** 0.5)
        own = functional.max_pool2d((before != after).any(dim=1, keepdim=True).float(), side).flatten(1)
        found.append(torch.cat([own, torch.zeros_like(own)], dim=1).bool().flatten())
    return torch.cat(found)


def _cells(states: torch.Tensor, inputs: Any) -> Iterator[torch.Tensor]:
    """The cells of each image, (cells, width). Those of a smaller image in a batch are padded."""
    sizes = inputs.get("image_sizes")
    for index, own in enumerate(states.flatten(0, -4)):
        if sizes is not None and len(sizes) == len(states):
            factor = round(max(sizes.amax(dim=0) / torch.tensor(own.shape[1:])).item())
            own = own[:, : sizes[index, 0] // factor, : sizes[index, 1] // factor]
        yield own.flatten(1).T


def placed_patches(toy: Toy, model: Any, sizes: Sequence[tuple[int, int]], count: int) -> Callable[..., torch.Tensor]:
    """What gives the states of the patches that depend on the picture, as `patch_states` does: `count` of them.

    Those of a video's equal frames are joined.
    """
    if READERS[toy.name].is_quantizer:
        return patch_states
    noise = [np.random.RandomState(seed) for seed in (0, 1)]
    pictures = [[random.randint(0, 255, (*size, 3)).astype(np.uint8) for size in sizes] for random in noise]
    before, after = (patch_states(toy, model, images) for images in pictures)
    change = (after - before).norm(dim=1)
    answering = change > 1e-4 * change.max()
    if READERS[toy.name].pixels:
        answering &= _with_picture(toy, model, pictures)

    def states(toy: Toy, model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
        found = patch_states(toy, model, images)[answering]
        frames = max(1, len(found) // count)
        return torch.cat(found[: len(found) // frames * frames].chunk(frames), dim=1)

    return states
