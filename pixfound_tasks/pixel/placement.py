"""Which device and dtype each part of a pixel-level model gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import dispatch_model, infer_auto_device_map
from torch import nn

_AUTOMATIC = ("auto", "balanced", "balanced_low_0", "sequential")


class Placement:
    """The devices and dtypes of all modules of a pixel-level model, by the names of their parameters.

    The language model may be split over devices. Everything else is on the device of its last part, where the hidden
    states come out.

    Args:
        module: all modules; parameters may be on the meta device. `module.model` is the language model.
        device_map: a device, or an automatic map of Accelerate for the language model.
        dtype: that of the language model.
        drawing: that of everything else.
    """

    def __init__(self, module: nn.Module, device_map: str, dtype: torch.dtype, drawing: torch.dtype) -> None:
        self.module, self.dtype, self.drawing = module, dtype, drawing
        self.language_model: Any = module.get_submodule("model")
        self.devices: Mapping[str, Any] = {"": device_map}
        if device_map in _AUTOMATIC:
            lists = [part for part in self.language_model.modules() if isinstance(part, nn.ModuleList)]
            whole = sorted({type(layer).__name__ for layers in lists for layer in layers})
            self.devices = infer_auto_device_map(self.language_model, no_split_module_classes=whole, dtype=dtype)

    def __call__(self, name: str) -> tuple[torch.device, torch.dtype]:
        """Return the device and the dtype of a parameter or buffer."""
        first, _, rest = name.partition(".")
        if first != "model":
            return self._device(list(self.devices.values())[-1]), self.drawing
        owners = [prefix for prefix in self.devices if not prefix or f"{rest}.".startswith(f"{prefix}.")]
        return self._device(self.devices[max(owners, key=len)]), self.dtype

    def settle(self) -> None:
        """Move what was not loaded by name, buffers above all, to its device, and connect the devices."""
        for name, tensor in [*self.module.named_parameters(), *self.module.named_buffers()]:
            tensor.data = tensor.data.to(self(name)[0])
        if len(set(map(str, self.devices.values()))) > 1:
            dispatch_model(self.language_model, dict(self.devices))

    def _device(self, device: Any) -> torch.device:
        return torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
