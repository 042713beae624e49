"""Runs the part of a model that turns pixels into image tokens, and stops before the language decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.vision_identity import PatchesAlone
from pixfound_tasks.hosts.vision_kernels import visible_attention

if TYPE_CHECKING:
    from jaxtyping import Float32


class _Stop(Exception):
    """Ends a forward pass before the decoder."""


class VisionPart:
    """The part of a model before its decoder.

    Attributes:
        forwards: how many times it ran.
        backwards: how many gradients were taken through it.
        is_crossing: whether the decoder reads the image by cross-attention. Known after a run.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.decoder = model, model.get_decoder()
        self.forwards = self.backwards = 0
        self.is_crossing = False
        self._decisions: list[bool] | None = None
        layers = getattr(self.decoder, "layers", None)
        if not isinstance(layers, nn.ModuleList):
            layers = next((part for part in self.decoder.modules() if isinstance(part, nn.ModuleList)), [None])
        self._first = layers[0]

    def cast(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a processor's output on the model's device, numbers in its dtype, without labels."""
        device, dtype = self.model.device, self.model.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() else None) if torch.is_tensor(value) else value
            for name, value in inputs.items()
            if name != "labels"
        }

    def embed(self, inputs: Mapping[str, Any], with_gradient: bool = False) -> Float32[Tensor, "positions width"]:
        """Return what enters the decoder at each position of the prompt, or the keys of the cross-attention.

        Each patch of the vision tower sees only itself.

        Raises:
            NotMeasurable: if nothing reaches the decoder.
        """
        seen: dict[str, Tensor] = {}
        self.forwards += 1

        def stop(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            crossing, embedded = kwargs.get("cross_attention_states"), kwargs.get("inputs_embeds")
            if module is self.decoder and crossing is None and embedded is None:
                return
            if module is not self.decoder:
                embedded = args[0] if args else kwargs["hidden_states"]
            self.is_crossing = crossing is not None
            seen["embedded"] = embedded if crossing is None else crossing
            raise _Stop

        alone = PatchesAlone(None if with_gradient else self._decisions)
        with ExitStack() as during:
            during.enter_context(_evaluating(self.model))
            during.enter_context(visible_attention(self.model))
            for module in (self.decoder, self._first):
                if module is not None:
                    hook = module.register_forward_pre_hook(stop, prepend=True, with_kwargs=True)
                    during.callback(hook.remove)
            during.enter_context(_frozen(self.model))
            during.enter_context(torch.inference_mode(False))
            during.enter_context(torch.set_grad_enabled(with_gradient))
            during.enter_context(alone)
            with suppress(_Stop):
                self.model.forward(**inputs, use_cache=False)  # without the hooks of whoever records the model
        if with_gradient:
            self._decisions = alone.decisions
        if "embedded" not in seen:
            raise NotMeasurable(
                f"expected a decoder that is called with embeddings, but that of {type(self.model).__name__} is not"
            )
        return seen["embedded"].flatten(0, -2).float()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Turn dropout off for a while, module by module."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Take no gradients of weights for a while, so that a forward pass keeps less for the gradients of its inputs."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
