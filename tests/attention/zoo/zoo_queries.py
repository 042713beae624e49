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


class Reader(NamedTuple):
    """The last name of the module that gets patches, and the keyword under which it does, by position 0 otherwise.

    A quantizer gets the cells whose codes it chooses, (..., width, high, wide).
    """

    module: str
    keyword: str = ""
    is_quantizer: bool = False


READERS = {
    "idefics2": Reader("perceiver_resampler", "context"),
    "blip-2": Reader("qformer", "encoder_hidden_states"),
    "blip-2 with t5": Reader("qformer", "encoder_hidden_states"),
    "instructblip": Reader("qformer", "encoder_hidden_states"),
    "instructblipvideo": Reader("qformer", "encoder_hidden_states"),
    "aria": Reader("multi_modal_projector"),
    "kosmos-2": Reader("image_to_text_projection"),
    "kosmos-2.5": Reader("image_to_text_projection"),
    "deepseek_ocr2": Reader("vision_encoder", "inputs_embeds"),
    "chameleon": Reader("quantize", is_quantizer=True),
    "emu3": Reader("quantize", is_quantizer=True),
    "apertus1p5": Reader("quantize", is_quantizer=True),
}


def patch_states(toy: Toy, model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
    """The states of all patches of one prompt, of one image after another, (patches, width)."""
    inputs = toy.inputs([[Image.fromarray(image) for image in images]], ["ab"])
    seen: list[torch.Tensor] = []

    def take(module: Any, args: Any, kwargs: Any) -> None:
        keyword = READERS[toy.name].keyword
        seen.append((kwargs[keyword] if keyword in kwargs else args[0]).detach())

    hook = _reader(toy, model).register_forward_pre_hook(take, with_kwargs=True)
    try:
        with torch.inference_mode():
            model.generate(**inputs, do_sample=False, max_new_tokens=1)
    finally:
        hook.remove()
    if READERS[toy.name].is_quantizer:
        return torch.cat([cells for states in seen for cells in _cells(states, inputs)])
    return torch.cat([states.flatten(0, 1) for states in seen])


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

    def states(toy: Toy, model: Any, images: Sequence[np.ndarray]) -> torch.Tensor:
        found = patch_states(toy, model, images)[answering]
        frames = max(1, len(found) // count)
        return torch.cat(found[: len(found) // frames * frames].chunk(frames), dim=1)

    return states


def _reader(toy: Toy, model: Any) -> Any:
    name = READERS[toy.name].module
    return next(module for path, module in model.named_modules() if path.rsplit(".", 1)[-1] == name)
