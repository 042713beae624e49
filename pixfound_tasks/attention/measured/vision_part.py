"""Runs the part of a model that turns pixels into image tokens, and stops before the language decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pixfound_tasks.attention.measured.errors import NotMeasurable
from pixfound_tasks.attention.measured.query_calls import AttentionCalls
from pixfound_tasks.attention.measured.vision_identity import PatchesAlone
from pixfound_tasks.hosts.attention_modules import attention_modules, reads_encoder, text_encoder
from pixfound_tasks.hosts.vision_kernels import visible_attention

if TYPE_CHECKING:
    from jaxtyping import Float32


Mode = TypeVar("Mode", bound=TorchFunctionMode)

_NONE = torch.empty(0)
# What a decoder reads by cross-attention: the image, or the prompt with the image.
_CROSSING = ("cross_attention_states", "encoder_hidden_states", "key_value_states")
# What a decoder adds to some positions before its layers, by layer, and which positions these are.
_ADDED, _ADDED_TO = "deepstack_features", "vision_mask"


class _Stop(Exception):
    """Ends a forward pass before the decoder."""


class VisionPart:
    """The part of a model before its decoder.

    Args:
        model: the model.
        own_only: whether queries that are made of patches read nothing of other patches, see `PatchesAlone`.

    Attributes:
        forwards: how many times it ran.
        backwards: how many gradients were taken through it.
        is_crossing: whether the decoder reads the image by cross-attention, and not among the tokens of the prompt.
            Known after a run.
        reads_across: whether queries that are no patches read them, as in resamplers. Known after a run.
        has_placed_queries: whether these queries depend on the image themselves. Known after a run with gradients.
    """

    def __init__(self, model: Any, own_only: bool = False) -> None:
        self.model, self.decoder = model, model.get_decoder()
        self.forwards = self.backwards = 0
        self.is_crossing = self.reads_across = self.has_placed_queries = False
        self._own_only = own_only
        self._decisions: list[bool] | None = None
        self._watch: TorchFunctionMode | None = None
        layers = getattr(self.decoder, "layers", None)
        self._first = layers[0] if isinstance(layers, nn.ModuleList) else _first_layer(model, self.decoder)
        self._crossing = _first_crossing(model)
        self._encoder = text_encoder(model)

    @contextmanager
    def watching(self, mode: Mode) -> Iterator[Mode]:
        """Let a mode watch the next runs. Attention calls of a text encoder are left out."""
        self._watch = mode
        try:
            yield mode
        finally:
            self._watch = None

    def cast(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a processor's output on the model's device, numbers in its dtype, without labels."""
        device, dtype = self.model.device, self.model.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() else None) if torch.is_tensor(value) else value
            for name, value in inputs.items()
            if name != "labels"
        }

    def embed(
        self, inputs: Mapping[str, Any], with_gradient: bool = False, mixing: bool = False
    ) -> Float32[Tensor, "positions width"]:
        """Return what enters the decoder at each position of the prompt, or the keys of the cross-attention.

        Args:
            inputs: the model's inputs.
            with_gradient: whether gradients are taken of what is returned.
            mixing: whether patches of the vision tower see one another. Otherwise each sees only itself.

        Raises:
            NotMeasurable: if nothing reaches the decoder.
        """
        seen: dict[str, Tensor] = {}
        self.forwards += 1

        def stop(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            embedded = kwargs.get("inputs_embeds")
            crossing = next((kwargs[name] for name in _CROSSING if kwargs.get(name) is not None), None)
            if crossing is None and (module is self._crossing or (module is self.decoder and embedded is None)):
                return
            if crossing is None and module is not self.decoder:
                embedded = args[0] if args else kwargs["hidden_states"]
            seen["embedded"] = _with_added(embedded, kwargs) if crossing is None else crossing
            # An encoder's output for a prompt has the tokens of the prompt.
            of_prompt = reads_encoder(self.model) and seen["embedded"].shape[:2] == inputs.get("input_ids", _NONE).shape
            self.is_crossing = crossing is not None and not of_prompt
            raise _Stop

        alone = PatchesAlone(None if with_gradient else self._decisions, self._own_only)
        with ExitStack() as during:
            during.enter_context(_evaluating(self.model))
            during.enter_context(visible_attention(self.model))
            for module in (self.decoder, self._crossing, self._first):
                if module is not None:
                    hook = module.register_forward_pre_hook(stop, prepend=True, with_kwargs=True)
                    during.callback(hook.remove)
            during.enter_context(_frozen(self.model))
            during.enter_context(torch.inference_mode(False))
            during.enter_context(torch.set_grad_enabled(with_gradient))
            if not mixing:
                during.enter_context(alone)
            if isinstance(self._watch, AttentionCalls):
                self._watch.alone = None if mixing else alone
                during.enter_context(_paused(self._watch, self._encoder))
            if self._watch is not None:
                during.enter_context(self._watch)
            with suppress(_Stop):
                # Without the hooks of whoever records the model.
                self.model.forward(**self._begun(inputs), use_cache=False)
        if with_gradient:
            self._decisions, self.reads_across = alone.decisions, alone.reads_across
            self.has_placed_queries = alone.has_placed_queries
        if "embedded" not in seen:
            raise NotMeasurable(
                f"expected a decoder that is called with embeddings, but that of {type(self.model).__name__} is not"
            )
        return seen["embedded"].flatten(0, -2).float()

    def _begun(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs with a token for the decoder if it reads no prompt."""
        if "input_ids" in inputs or "decoder_input_ids" in inputs:
            return dict(inputs)
        return {**inputs, "decoder_input_ids": torch.zeros(1, 1, dtype=torch.long, device=self.model.device)}


def _with_added(embedded: Any, kwargs: Mapping[str, Any]) -> Any:
    """Return embeddings with all that the decoder adds to image tokens, which may hold nothing of the image before."""
    added, mask = kwargs.get(_ADDED), kwargs.get(_ADDED_TO)
    if not isinstance(added, Mapping) or mask is None or not added:
        return embedded
    total = torch.stack([features.to(embedded) for features in added.values()]).sum(dim=0)
    return embedded + torch.zeros_like(embedded).masked_scatter(mask.expand_as(embedded), total)


def _first_layer(model: Any, decoder: nn.Module) -> Any:
    """Return the first layer of a decoder that may hold a vision tower, too, None without one.

    Of an encoder-decoder, it is that of the encoder.
    """
    lists = [part for part in decoder.modules() if isinstance(part, nn.ModuleList) and len(part)]
    with suppress(ValueError):
        attending = [] if reads_encoder(model) else attention_modules(model)[:1]
        for part in lists:
            if any(module is one.module for one in attending for module in part[0].modules()):
                return part[0]
    return lists[0][0] if lists else None


def _first_crossing(model: Any) -> Any:
    """Return the first cross-attention module of a model's decoder, None without one."""
    with suppress(ValueError):
        return next((one.module for one in attention_modules(model) if one.is_crossing), None)
    return None


@contextmanager
def _paused(calls: AttentionCalls, encoder: nn.Module | None) -> Iterator[None]:
    """Pause the collection of calls while a text encoder runs."""
    if encoder is None:
        yield
        return

    def set_paused(is_paused: bool) -> Any:
        def hook(*_: Any) -> None:
            calls.is_paused = is_paused

        return hook

    hooks = [
        encoder.register_forward_pre_hook(set_paused(True)),
        encoder.register_forward_hook(set_paused(False), always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
