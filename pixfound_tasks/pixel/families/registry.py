"""The families of pixel-level models: how each is recognized, loaded and prompted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

from pixfound_tasks.choices import check_choice
from pixfound_tasks.mini import NAMES, weights_folder
from pixfound_tasks.pixel.checkpoint import Checkpoint, open_checkpoint
from pixfound_tasks.registry import Registry


@dataclass(frozen=True)
class Options:
    """How a checkpoint is loaded.

    Attributes:
        dtype: that of all parts; None leaves it to the checkpoint: the language model in the dtype of its
            configuration, the mask decoder in float32.
        device_map: a device such as "cuda:0"; or, for the language model, whatever Accelerate takes, such as "auto".
        attn_implementation: as in transformers, for the language model.
        more: options of one family, such as `template`.
    """

    dtype: torch.dtype | None = None
    device_map: str = "cpu"
    attn_implementation: str | None = None
    more: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Family:
    """A family of pixel-level models.

    Attributes:
        recognizes: whether a checkpoint's config.json is one of this family.
        load: "module:function" of a function (checkpoint, options) -> `PixelModel`. Modules are imported when needed.
        prompt: the kind of referring prompt, a key of `prompts.text.REFERRING`.
        options: the names that `Options.more` may have.
        is_adapter: whether other code runs the model, see `pixfound_tasks.pixel.adapters`. Its `load` is a function
            (name, options) -> `AdaptedModel`.
    """

    recognizes: Callable[[Mapping[str, Any]], bool]
    load: str | Callable[[Any, Options], Any]
    prompt: str = "mask"
    options: tuple[str, ...] = ()
    is_adapter: bool = False


def has_architecture(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function that tells whether a config names one of these architectures."""
    return lambda config: any(name in names for name in config.get("architectures") or ())


_FAMILIES = {
    "glamm": Family(
        has_architecture("GLaMMForCausalLM"),
        "pixfound_tasks.pixel.families.glamm:load_glamm",
        prompt="mask",
        options=("template", "vision_tower"),
    ),
    "lisa": Family(
        has_architecture("LISAForCausalLM"),
        "pixfound_tasks.pixel.families.lisa:load_lisa",
        prompt="lisa",
        options=("template", "vision_tower"),
    ),
    "predict_forward": Family(
        lambda config: False,
        "pixfound_tasks.pixel.adapters:load_predict_forward",
        prompt="sa2va",
        options=("trust_remote_code",),
        is_adapter=True,
    ),
    "rga3": Family(
        has_architecture("UniGRModel"),
        "pixfound_tasks.pixel.families.rga3:load_rga3",
        prompt="grounded",
        options=("given", "passed_as"),
    ),
    "sa2va": Family(
        has_architecture("Sa2VAChatModel", "Sa2VAChatModelQwen"),
        "pixfound_tasks.pixel.families.sa2va:load_sa2va",
        prompt="sa2va",
        options=("template",),
    ),
}
FAMILIES: Registry[Family] = Registry(
    "a family of pixel-level models",
    "pixfound_tasks.pixel_families",
    _FAMILIES,
    lambda record: isinstance(record, Family),
)


def find_family(checkpoint: Checkpoint, family: str | None = None) -> str:
    """Return the family of a checkpoint: the given one, or that which its config.json says.

    Raises ValueError if the given one is unknown, or none is given and the config says none.
    """
    if family:
        check_choice("family", family, FAMILIES)
        return family
    found = [name for name, each in FAMILIES.items() if each.recognizes(checkpoint.config)]
    if len(found) != 1:
        raise ValueError(
            f"expected a checkpoint of one of the families {sorted(FAMILIES)}, but the config.json of "
            f"{checkpoint.folder} names the architectures {checkpoint.config.get('architectures')}: give family=NAME"
        )
    return found[0]


def load_pixel_model(pretrained: str, family: str | None = None, options: Options | None = None) -> Any:
    """Return the pixel-level model of a hub name or a folder, ready to answer: a `PixelModel`, or an `AdaptedModel`.

    Raises:
        ValueError: if its family is unknown, or an option is none of the family's.
        CheckpointError: if its tensors are not those of the family's model.
    """
    options = options or Options()
    if family and (record := FAMILIES.get(family)) and record.is_adapter:
        adapted = _loader(family, options)(pretrained, options)
        adapted.family = family
        return adapted
    checkpoint = open_checkpoint(str(weights_folder(pretrained)) if pretrained in NAMES else pretrained)
    load = _loader(find_family(checkpoint, family), options)
    with torch.inference_mode(False):
        model = load(checkpoint, options)
    model.model.config.name_or_path = pretrained
    folder = checkpoint.folder
    model.revision = folder.name if folder.parent.name == "snapshots" else None  # as huggingface_hub names them
    return model


def _loader(name: str, options: Options) -> Callable[[Any, Options], Any]:
    """Return the function that loads a family. Raises ValueError if an option is none of the family's."""
    record = FAMILIES[name]
    for option in options.more or ():
        check_choice(f"an option of {name}", option, record.options)
    if not isinstance(record.load, str):
        return record.load
    module, _, function = record.load.partition(":")
    return getattr(import_module(module), function)
