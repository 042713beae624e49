"""How this package listens to the attention kernels of transformers, which has no documented way to do so.

| touched | reason | seen in |
|---|---|---|
| entries of an `AttentionInterface`, set and deleted | `register` cannot put a kernel back | 5.1 to 5.24 |
| `ALL_ATTENTION_FUNCTIONS` of a model's file | the registry in which the file looks up its kernel | 5.1 to 5.24 |
| `eager_attention_forward` of a model's file | the eager kernel, which is in no registry | 5.1 to 5.24 |
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from transformers import AttentionInterface

# (layer, query, key, value, mask, options): the arguments of one call of a kernel.
Listener = Callable[[int, Tensor, Tensor, Tensor, Tensor | None, dict[str, Any]], None]


def attention_interfaces(modules: Iterable[Any]) -> list[AttentionInterface]:
    """Return the registries in which the modules look up their attention kernels.

    This is the one of transformers, unless a model file has its own.
    """
    files = {parent.__module__ for module in modules for parent in type(module).__mro__}
    interfaces = [getattr(sys.modules[file], "ALL_ATTENTION_FUNCTIONS", None) for file in sorted(files)]
    return list({id(interface): interface for interface in interfaces if interface is not None}.values())


class Tap:
    """Stands in for a kernel among the attention functions: returns its output, and passes each call to a listener.

    It is registered under the kernel's own name, and nothing of the model is changed. Masks, caches and anything else
    that depends on the model's configured kernel therefore stay as they are.

    Args:
        interface: the registry of the kernel.
        kernel: its name.
        layers: the modules whose calls are passed on, each with its layer. Calls of other modules only run the kernel.
        listener: called after the kernel.
    """

    def __init__(
        self, interface: AttentionInterface, kernel: str, layers: Iterable[tuple[Any, int]], listener: Listener
    ) -> None:
        self.interface, self.kernel, self.listener = interface, kernel, listener
        self.layers = {id(module): layer for module, layer in layers}
        self.below = interface.get(kernel)  # None for eager attention, which every model file defines itself
        self.is_open = True
        interface[kernel] = self

    def __call__(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> Any:
        run = self.below or _eager_attention(module)
        output = run(module, query, key, value, attention_mask, **options)
        if self.is_open and (layer := self.layers.get(id(module))) is not None:
            self.listener(layer, query, key, value, attention_mask, options)
        return output

    def close(self) -> None:
        """Put the kernel back.

        If a later tap on the same kernel is still open, this one only passes calls on until that one closes.
        """
        self.is_open = False
        top = self.interface.get(self.kernel)
        while isinstance(top, Tap) and not top.is_open:
            del self.interface[self.kernel]
            if top.below is not self.interface.get(self.kernel):
                self.interface[self.kernel] = top.below
            top = top.below


def _eager_attention(module: Any) -> Callable[..., Any]:
    """Return the eager attention from the file that defines a module's class or one of its base classes."""
    files = (sys.modules[parent.__module__] for parent in type(module).__mro__)
    return next(file.eager_attention_forward for file in files if hasattr(file, "eager_attention_forward"))
