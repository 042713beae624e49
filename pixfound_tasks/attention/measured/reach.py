"""Which image token each number of the pixel tensors reaches, by gradients that carry the tokens' indices.

With self-attention made the identity, a number reaches one token. The gradient of the sum of all tokens' signals says
how strongly; the gradient of the sum weighted by a digit of each token's index, divided by it, says which token.
Another gradient, weighted by random codes, proves that each number reaches one token and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixfound_tasks.attention.measured.vision_part import VisionPart

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int

# Rounding seldom hides a digit of the first base, hardly ever one of the second; half precision tells zeros from ones.
_QUICK_BASE, _BASE, _HALF_BASE = 1024, 64, 2
_REACHED = 1e-5  # of the largest gradient
# Gradients in float16 are computed so much larger, because small ones would be 0; in steps less if some are infinite.
_LIFT, _STEP, _LEAST_LIFT = 2.0**9, 2.0**6, 2.0**-15
_SURE = 0.98  # of the numbers that reach a token must reach one alone


class Gradients:
    """Gradients of the image tokens with respect to the numbers of the pixel tensors."""

    def __init__(self, part: VisionPart, inputs: Mapping[str, Any], names: Sequence[str]) -> None:
        self.part, self.names = part, list(names)
        self.lift = _LIFT if part.model.dtype == torch.float16 else 1.0
        self.leaves = [inputs[name].detach().clone().requires_grad_(True) for name in names]
        with torch.enable_grad():
            # Copies, because some models change their inputs in place.
            given = {name: leaf * 1 for name, leaf in zip(names, self.leaves)}
            self.embedded = part.embed({**inputs, **given}, with_gradient=True)

    def choose(self, positions: Int[Tensor, " tokens"]) -> None:
        """Choose the positions whose signals gradients are taken of: random projections of what enters the decoder."""
        generator = torch.Generator().manual_seed(0)
        direction = torch.randn(self.embedded.shape[1], generator=generator).to(self.embedded)
        with torch.enable_grad():
            self.signal = self.embedded[positions] @ direction

    def of(self, weights: Tensor) -> list[Float32[Tensor, "*numbers"] | None]:
        """Return the gradients of the weighted sum of the signals by each pixel tensor; None for one without."""
        while True:
            self.part.backwards += 1
            found = torch.autograd.grad(
                self.signal, self.leaves, self.lift * weights.to(self.signal), retain_graph=True, allow_unused=True
            )
            if self.lift in (1, _LEAST_LIFT) or all(one is None or one.isfinite().all() for one in found):
                return [None if one is None else one.float() / self.lift for one in found]
            self.lift /= _STEP


class Reach(NamedTuple):
    """Which image token each number reaches, an array per pixel tensor by name, in the tensor's own shape.

    Attributes:
        token: the token, -1 if there is none or there are several.
        is_reaching: whether the number reaches any token.
    """

    token: dict[str, Int[np.ndarray, "*numbers"]]
    is_reaching: dict[str, Bool[np.ndarray, "*numbers"]]

    @property
    def is_exact(self) -> bool:
        """Whether nearly all numbers that reach a token reach one alone, in every pixel tensor."""
        return all(
            reaching.any() and (self.token[name] >= 0).sum() >= _SURE * reaching.sum()
            for name, reaching in self.is_reaching.items()
        )


def reach(
    gradients: Gradients, positions: Int[Tensor, " tokens"], skips_unseen: bool = False, is_rough: bool = False
) -> Reach | None:
    """Return which of the image tokens each number of the pixel tensors reaches; None if there is no gradient.

    Args:
        gradients: those of a forward pass.
        positions: the image tokens' positions in what enters the decoder.
        skips_unseen: whether pixel tensors without a gradient are left out, if others have one.
        is_rough: whether it will do that nearly all tokens are right, without a proof.
    """
    if not gradients.embedded.requires_grad:
        return None
    gradients.choose(positions)
    count, is_half = len(positions), gradients.part.model.dtype != torch.float32
    strengths = gradients.of(torch.ones(count))
    seen = [strength is not None and bool(strength.any()) for strength in strengths]
    if not any(seen) or not (all(seen) or skips_unseen):
        return None
    proof = torch.rand(count, generator=torch.Generator().manual_seed(0))
    proof = (proof > 0.5).float() if is_half else proof + 0.5  # rounding keeps zeros and ones exact
    checks = None if is_rough else gradients.of(proof)
    for base in _bases(count, is_half, is_rough):
        codes = [gradients.of(digit) for digit in _digits(count, base)]
        found = Reach({}, {})
        for index, (name, strength) in enumerate(zip(gradients.names, strengths)):
            if strength is None or not seen[index]:
                continue
            reaching = strength.abs() > _REACHED * strength.abs().max()
            token, is_whole = _token(strength, [code[index] for code in codes], base, count)
            if checks is not None:
                expected = proof.to(strength.device)[token]
                is_whole &= (checks[index] / strength - expected).abs() < (0.1 if is_half else 1e-3)
            found.token[name] = torch.where(reaching & is_whole, token, -1).int().cpu().numpy()
            found.is_reaching[name] = reaching.cpu().numpy()
        if found.is_exact:
            break
    return found


def _bases(count: int, is_half: bool, is_rough: bool) -> tuple[int, ...]:
    """Return the bases of the digits that tokens are numbered in, to be tried one after another."""
    if is_half:
        return (_HALF_BASE,)
    if is_rough:
        return (_QUICK_BASE,)
    return (_QUICK_BASE, _BASE) if count > _BASE else (_BASE,)


def _digits(count: int, base: int) -> list[Float32[Tensor, " tokens"]]:
    index, power, digits = torch.arange(count), 1, []
    while power < count:
        digits.append((index // power % base).float())
        power *= base
    return digits


def _token(
    strength: Tensor, codes: Sequence[Tensor | None], base: int, count: int
) -> tuple[Int[Tensor, "*numbers"], Bool[Tensor, "*numbers"]]:
    """Return the token of each number, and whether its digits are whole: others reach several tokens."""
    token = torch.zeros_like(strength).long()
    is_whole = torch.ones_like(strength).bool()
    for place, code in enumerate(codes):
        ratio = (torch.zeros_like(strength) if code is None else code / strength).nan_to_num()
        token += ratio.round().long() * base**place
        is_whole &= (ratio - ratio.round()).abs() < 0.1
    return token.clamp(0, count - 1), is_whole & (token >= 0) & (token < count)
