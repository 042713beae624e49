"""Models that other code runs, as pixel-level models: whatever turns an image and a prompt into a text and masks.

An adapter is a class of yours with `predict`. It becomes a family by the entry point `pixfound_tasks.pixel_families`:

    class Mine:
        def __init__(self, pretrained: str, device: str, size: int = 1024) -> None:
            self.model = load_somehow(pretrained, device, size)

        def predict(self, image: Image.Image, prompt: str) -> tuple[str, list[np.ndarray]]:
            text, masks = self.model.answer(image, prompt)
            return text, masks

    FAMILY = adapter_family(Mine, prompt="mask", options=("size",))

    [project.entry-points."pixfound_tasks.pixel_families"]
    mine = "my_package:FAMILY"

    lmms-eval --model pixfound_pixel --model_args pretrained=NAME,family=mine,size=512 ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor, AutoTokenizer

from pixfound_tasks import __version__
from pixfound_tasks.attention.lens import Answer
from pixfound_tasks.images import as_rgb
from pixfound_tasks.pixel.base import PixelAnswer
from pixfound_tasks.pixel.families.registry import Family, Options

if TYPE_CHECKING:
    from jaxtyping import Bool

_SPECIAL = re.compile(r"<\|[^|>]*\|>|</s>")  # such as <|im_end|>


class Adapter(Protocol):
    """What other code must offer."""

    def predict(self, image: Image.Image, prompt: str) -> tuple[str, Sequence[Any]]:
        """Return the answer to a prompt about an RGB image, and masks (height, width) of the image's size."""
        ...


def adapter_family(make: Callable[..., Adapter], prompt: str = "mask", options: tuple[str, ...] = ()) -> Family:
    """Return the family of an adapter.

    Args:
        make: makes it: `make(pretrained, device, **options)`.
        prompt: the kind of referring prompt, a key of `prompts.text.REFERRING`.
        options: the names of further arguments of `make`, which `--model_args` may give.
    """
    return Family(lambda config: False, partial(_load, make), prompt, options, is_adapter=True)


@dataclass
class AdaptedModel:
    """An adapter in the place of a `PixelModel`. It has no attention to record, and its tokens are not counted."""

    family: str
    adapter: Adapter
    pretrained: str
    revision: str | None = None
    processor: None = None
    lens_options: dict[str, Any] = field(default_factory=dict)

    @property
    def lens(self) -> NoReturn:
        raise ValueError(
            f"expected grounding=own with family={self.family}, which other code runs, so that no attention can be "
            "recorded; leave out grounding, reducer and save_attention"
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """What every response records of the model; see `grounding.pipeline.provenance`."""
        versions = {"pixfound-tasks": __version__, "lmms-eval": version("lmms_eval")}
        return {"model": self.pretrained, "grounding": "own", "segmenter": "own", "versions": versions}

    def text_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[Answer]:
        """Return one answer per prompt. The adapter decides how it generates; `generation` is not used."""
        return [Answer(answer.text, 0) for answer in self.answer_all(images, prompts)]

    def answer_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[PixelAnswer]:
        """Return one answer with masks per prompt; see `text_all`.

        Raises:
            ValueError: if a mask has another size than the image.
            TypeError: if what the adapter returns is no text with masks.
        """
        return [self._answer(as_rgb(image), prompt) for image, prompt in zip(images, prompts, strict=True)]

    def look_all(self, *_: Any, **__: Any) -> NoReturn:
        """Raise ValueError: there is no attention."""
        raise AssertionError(self.lens)

    def _answer(self, image: Image.Image, prompt: str) -> PixelAnswer:
        found = self.adapter.predict(image, prompt)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], str)):
            raise TypeError(f"expected predict of {self.family} to return (text, masks), but got {found!r:.200}")
        text, given = found
        size = image.height, image.width
        masks = np.zeros((len(given), *size), bool)
        for index, each in enumerate(given):
            masks[index] = _mask(each, size, self.family)
        states = np.zeros((len(given), 0), np.float32)
        return PixelAnswer(
            text=text.strip(),
            ids=(),
            masks=masks,
            chars=(None,) * len(given),
            low_res_logits=np.zeros((len(given), 0, 0), np.float32),
            scores=np.full(len(given), np.nan, np.float32),
            chosen=None,
            states=states,
            embeddings=states,
        )


def _mask(given: Any, size: tuple[int, int], family: str) -> Bool[np.ndarray, "height width"]:
    array = given.float().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    if array.shape != size:
        raise ValueError(
            f"expected masks of {family} of the image's size, (height, width) = {size}, but got {array.shape}; resize "
            "them in predict"
        )
    return array > 0


def _load(make: Callable[..., Adapter], pretrained: str, options: Options) -> AdaptedModel:
    return AdaptedModel("", make(pretrained, options.device_map, **dict(options.more or {})), pretrained)


class PredictForward:
    """Checkpoints whose own code has `predict_forward`, such as those of Sa2VA on InternLM2, which are not built in.

    Their code is run only if `trust_remote_code=True` is given: read it first.

    Args:
        pretrained: a hub name or a folder.
        device: where the model runs. The code of Sa2VA needs "cuda".
        trust_remote_code: whether the code that comes with the checkpoint may run.

    Raises:
        ValueError: if `trust_remote_code` is not given, or the model has no `predict_forward`.
    """

    def __init__(self, pretrained: str, device: str, trust_remote_code: bool | str = False) -> None:
        if str(trust_remote_code).lower() not in ("true", "1"):
            raise ValueError(
                f"expected trust_remote_code=True, because {pretrained} is run by code that comes with it: read this "
                "code, and then give trust_remote_code=True"
            )
        self.model: Any = AutoModel.from_pretrained(pretrained, dtype="auto", trust_remote_code=True).eval().to(device)
        predict = getattr(self.model, "predict_forward", None)
        if predict is None:
            raise ValueError(f"expected a model with predict_forward, but {type(self.model).__name__} has none")
        known = inspect.signature(predict).parameters
        self.more: dict[str, Any] = {}
        if "tokenizer" in known:
            self.more["tokenizer"] = AutoTokenizer.from_pretrained(pretrained, trust_remote_code=True)
        if "processor" in known:
            with suppress(OSError, ValueError):  # some take one and do not need it
                self.more["processor"] = AutoProcessor.from_pretrained(pretrained, trust_remote_code=True)

    @torch.inference_mode()
    def predict(self, image: Image.Image, prompt: str) -> tuple[str, list[np.ndarray]]:
        """Return the answer without special tokens at its end, and the mask of the first frame for each [SEG]."""
        found = self.model.predict_forward(image=image, text=f"<image>\n{prompt}", **self.more)
        masks = [np.asarray(mask) for mask in found.get("prediction_masks") or ()]
        return _SPECIAL.sub("", found["prediction"]), [mask[0] if mask.ndim == 3 else mask for mask in masks]


load_predict_forward = partial(_load, PredictForward)
