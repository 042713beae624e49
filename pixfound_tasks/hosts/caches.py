"""What the caches of transformers do with the keys that they hold.

| read | reason | seen in |
|---|---|---|
| `past_key_values` or `cache` among a forward call's arguments | the cache | 5.1 to 5.24 |
| classes of a cache's layers | whether they keep every key as it was | 5.1 to 5.24 |
| `Cache.offloading` | whether keys leave the GPU between steps | 5.1 to 5.24 |
"""

from __future__ import annotations

from typing import Any


def cache_of(arguments: dict[str, Any]) -> Any:
    """Return the cache among the arguments of a model's forward call, or None."""
    found = arguments.get("past_key_values")
    return arguments.get("cache") if found is None else found


def only_appends(cache: Any) -> bool:
    """Return whether a model's cache keeps all keys as they were, on their device, and only adds to them.

    False for what is not known to do so: no cache, sliding windows, quantization, offloading, static caches (whose
    steps may be one compiled graph), caches of other packages.
    """
    if type(cache).__name__ != "DynamicCache" or getattr(cache, "offloading", False):
        return False
    kinds = {type(layer).__name__ for layer in cache.layers}
    # The cache makes its layers when they are first used.
    made_later = getattr(cache, "layer_class_to_replicate", None)
    kinds |= {made_later.__name__} if made_later else set()
    # Subclasses of the layer forget or quantize keys, or pick some. Linear attention has none.
    return kinds - {"LinearAttentionLayer"} == {"DynamicLayer"}
