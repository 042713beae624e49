"""GLaMM's region encoder: the features of boxes, which stand for the prompt's `<bbox>` tokens.

Its modules have the names of the checkpoint. Source: the authors' release, which has it from GPT4RoI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixfound_tasks.pixel.checkpoint import Shape

if TYPE_CHECKING:
    from jaxtyping import Float

_GROUPS = 64  # of every GroupNorm
_PATCH = 14  # pixels
_BOX_SIDE = 224.0  # pixels: the boxes are scaled to this image, although CLIP sees one of 336
_POOLED = 14
_SAMPLES = 2
_EVERY = 3  # layers of CLIP, from the second-to-last down


class RegionEncoder(nn.Module):
    """Pools CLIP's features of several layers over boxes.

    Args:
        shapes: the shapes of the checkpoint's tensors.
        prefix: what this module's keys begin with.
    """

    def __init__(self, shapes: Mapping[str, Shape], prefix: str) -> None:
        super().__init__()
        self.mlvl_fuse = _Fusion(shapes, f"{prefix}mlvl_fuse.")
        self.roi_align = _Pooling(shapes, f"{prefix}roi_align.")

    def forward(
        self, hidden_states: Sequence[Float[Tensor, "1 1+patches channels"]], boxes: Float[Tensor, "boxes 4"]
    ) -> Float[Tensor, "boxes width"]:
        """Return a feature for each box.

        Args:
            hidden_states: those of all of CLIP's layers, of one image, with the class token.
            boxes: x1, y1, x2, y2 in 0..1 of the image's width and height.
        """
        levels = len(self.mlvl_fuse.input_conv)
        chosen = [hidden_states[-2 - _EVERY * level] for level in reversed(range(levels))]
        return self.roi_align(self.mlvl_fuse([states[:, 1:] for states in chosen]), boxes)


class _Fusion(nn.Module):
    """Makes a pyramid of the layers' features, and mixes neighboring levels."""

    def __init__(self, shapes: Mapping[str, Shape], prefix: str) -> None:
        super().__init__()
        self.input_conv = nn.ModuleList(
            nn.Conv2d(shapes[key][1], shapes[key][0], 1) for key in _keys(shapes, prefix + "input_conv.{}.weight")
        )
        self.fuse_convs = nn.ModuleList(
            _ConvNorm(shapes[key][0]) for key in _keys(shapes, prefix + "fuse_convs.{}.conv.weight")
        )

    def forward(
        self, layers: Sequence[Float[Tensor, "1 patches channels"]]
    ) -> list[Float[Tensor, "1 channels side side"]]:
        side = round(layers[0].shape[1] ** 0.5)
        levels = []
        for level, (states, conv) in enumerate(zip(layers, self.input_conv)):
            plane = states.transpose(1, 2).unflatten(2, (side, side))
            size = side * 2 ** (len(layers) - 1 - level)
            plane = _resized(plane, size)
            axis = torch.linspace(-1, 1, size, device=plane.device, dtype=plane.dtype)
            y, x = torch.meshgrid(axis, axis, indexing="ij")
            levels.append(conv(torch.cat([plane, torch.stack([x, y])[None]], dim=1)))
        for fuse in self.fuse_convs:
            levels = [fuse(_mixed(levels, level)) for level in range(len(levels))]
        return levels


class _ConvNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.gn = nn.GroupNorm(_GROUPS, channels)

    def forward(self, plane: Tensor) -> Tensor:
        return functional.relu(self.gn(self.conv(plane)))


class _Pooling(nn.Module):
    """Pools the levels over boxes and adds an embedding of the boxes' places."""

    def __init__(self, shapes: Mapping[str, Shape], prefix: str) -> None:
        super().__init__()

        def linear(name: str) -> nn.Linear:
            outputs, inputs = shapes[f"{prefix}{name}.weight"]
            return nn.Linear(inputs, outputs)

        self.pconvs = nn.ModuleList(
            nn.Conv2d(shapes[key][1], shapes[key][0], 3, padding=1)
            for key in _keys(shapes, prefix + "pconvs.{}.weight")
        )
        places = [linear("pos_embedd.0"), linear("pos_embedd.3")]
        inner, outer = (layer.out_features for layer in places)
        self.pos_embedd = nn.Sequential(
            places[0], nn.ReLU(), nn.LayerNorm(inner), places[1], nn.ReLU(), nn.LayerNorm(outer)
        )
        self.flatten_linear, self.updims = linear("flatten_linear"), linear("updims")

    def forward(
        self, levels: Sequence[Float[Tensor, "1 channels side side"]], boxes: Float[Tensor, "boxes 4"]
    ) -> Float[Tensor, "boxes width"]:
        from torchvision.ops import roi_align  # slow to import

        scaled = torch.cat([torch.zeros_like(boxes[:, :1]), boxes * _BOX_SIDE], dim=1)
        pooled = torch.zeros((), device=boxes.device, dtype=boxes.dtype)
        for level, (plane, conv) in enumerate(zip(levels, self.pconvs)):
            scale = 2 ** (len(levels) - 1 - level) / _PATCH
            # In float32, because not every device pools in half precision.
            found = roi_align(plane.float(), scaled.float(), _POOLED, scale, _SAMPLES, aligned=True)
            pooled = pooled + conv(found.to(plane.dtype))
        flat = self.flatten_linear(functional.relu(pooled).flatten(1))
        return self.updims(flat + self.pos_embedd(boxes))


def _mixed(levels: Sequence[Tensor], level: int) -> Tensor:
    """Return a level with a fourth of its channels from the next level and a fourth from the one before."""
    own, after, before = levels[level], levels[min(level + 1, len(levels) - 1)], levels[max(level - 1, 0)]
    half, quarter, side = own.shape[1] // 2, own.shape[1] // 4, own.shape[-1]
    return torch.cat(
        [
            own[:, :half],
            _resized(after[:, half:][:, quarter:], side),
            _resized(before[:, half:][:, :quarter], side),
        ],
        dim=1,
    )


def _resized(plane: Tensor, side: int) -> Tensor:
    return functional.interpolate(plane, (side, side), mode="bilinear", align_corners=True)


def _keys(shapes: Mapping[str, Shape], name: str) -> list[str]:
    """Return the keys of a list's items, for which `name` has `{}`."""
    return list(takewhile(shapes.__contains__, (name.format(number) for number in count())))
