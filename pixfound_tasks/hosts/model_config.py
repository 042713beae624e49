"""What a model's configuration in transformers tells under no public name.

| read | reason | seen in |
|---|---|---|
| `config._attn_implementation` | the attention kernel that the model runs | 5.1 to 5.24 |
| `per_layer_config` of a configuration whose layers differ | their number of heads | 5.24 |
| `config._commit_hash` | the revision that was loaded from the hub | 5.1 to 5.24 |
| `canvas_length` | how many tokens a decoder denoises at once, as DiffusionGemma does | 5.24 |
"""

from __future__ import annotations

from typing import Any


def kernel_name(config: Any) -> str:
    """Return the name of the model's attention kernel, such as "sdpa"."""
    return config._attn_implementation


def hub_revision(config: Any) -> str | None:
    """Return the commit that was loaded from the hub, or None if the model is from a folder."""
    return getattr(config, "_commit_hash", None)


def denoised_tokens(config: Any) -> int | None:
    """Return how many tokens a model denoises at once, None if it predicts one token after another."""
    return getattr(config, "canvas_length", None)


def head_count(config: Any, layer: int) -> int:
    """Return the number of attention heads of a decoder's layer, as far as its configuration tells.

    Some layers have another number, which only their calls show.
    """
    for name in ("decoder_attention_heads", "num_attention_heads"):
        try:
            if getattr(config, name, None):
                return int(getattr(config, name))
        except (RuntimeError, ValueError):  # the layers differ
            return int(getattr(config.per_layer_config[layer], name))
    return int(config.n_head if hasattr(config, "n_head") else config.num_heads)
