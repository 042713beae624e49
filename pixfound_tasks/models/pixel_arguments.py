"""The arguments of `--model pixfound_pixel`, as `--model_args` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pixfound_tasks.choices import check_choice
from pixfound_tasks.models.arguments import GENERATION, Arguments, read_arguments
from pixfound_tasks.pixel.families.registry import FAMILIES
from pixfound_tasks.pixel.responses import WHICH

GROUNDINGS = ("own", "attention", "both")
# Arguments of `--model pixfound` that mean the same here.
_SHARED = (
    "pretrained", "device", "device_map", "dtype", "attn_implementation", "batch_size", "max_batch_size", "system",
    "save_attention", "sampling_seed", *GENERATION,
)  # fmt: skip
# Those that are about attention.
_OF_ATTENTION = (
    "reducer", "layers", "query", "phrases", "select", "judge", "judging", "segmenter", "point_rank", "point",
    "no_candidate", "control", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class PixelArguments:
    """What `--model pixfound_pixel` does.

    Attributes:
        shared: the arguments that `--model pixfound` has too, with the same meaning.
        family: a name in `FAMILIES`; None if the checkpoint's config.json says it.
        grounding: "own", the masks that the model draws; "attention", as `--model pixfound` does it; or "both": the
            masks that the model draws, and beside them the phrases and the selection that attention gives.
        mask: which of an answer's own masks count: "all", their union; or "first", as in the study. With
            grounding=attention it is that of `--model pixfound`, in `shared`.
        options: of the family, such as `template` and `vision_tower`.
    """

    shared: Arguments
    family: str | None = None
    grounding: str = "own"
    mask: str = "all"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype by its name; None if the checkpoint says it."""
        name = self.shared.dtype
        if name in (None, "auto"):
            return None
        found = getattr(torch, str(name), None)
        if not isinstance(found, torch.dtype):
            raise ValueError(f"expected dtype as float32, bfloat16, float16 or auto, but got {name!r}")
        return found

    @property
    def records_attention(self) -> bool:
        """Whether the attention of an answer is needed."""
        return self.grounding != "own" or self.shared.save_attention is not None


def read_pixel_arguments(given: Mapping[str, Any]) -> PixelArguments:
    """Check and complete what `--model_args` gives.

    Raises ValueError if an argument is unknown, has an invalid value, or is not given but needed.
    """
    values = {name: value for name, value in given.items() if value is not None}
    chosen = FAMILIES.get(str(values.get("family")))
    possible = [chosen] if chosen else [family for family in FAMILIES.values() if not family.is_adapter]
    of_families = {option for family in possible for option in family.options}
    own = ("family", "grounding", "mask", *sorted(of_families))
    for name in values:
        check_choice("a model argument", name, (*own, *_SHARED, *_OF_ATTENTION))
    if not values.get("pretrained"):
        raise ValueError("expected pretrained=NAME, a hub name or a folder of a pixel-level model, but got none")
    grounding = values.get("grounding", "own")
    check_choice("grounding", grounding, GROUNDINGS)
    shared = {name: value for name, value in values.items() if name not in own}
    mask = values.get("mask", "all")
    if grounding == "attention":
        shared |= {"mask": values["mask"]} if "mask" in values else {}
        mask = "all"
    check_choice("mask", mask, WHICH)
    if grounding == "own" and (unused := sorted(name for name in shared if name in _OF_ATTENTION and name != "seed")):
        raise ValueError(f"expected grounding=attention or both with {', '.join(unused)}, but got grounding=own")
    return PixelArguments(
        read_arguments(shared | {"grounding": "none" if grounding == "own" else "attention"}),
        values.get("family"),
        grounding,
        mask,
        {name: values[name] for name in sorted(of_families) if name in values},
    )
