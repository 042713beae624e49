"""Generation for the recorder's tests, and its rows by an independent path through the model."""

from __future__ import annotations

import torch

STEPS = 6


def generate(model, inputs, **options):
    """Greedy generation of exactly STEPS tokens, unless the options say otherwise."""
    length = {"max_new_tokens": STEPS, "min_new_tokens": STEPS, "pad_token_id": 0} | options
    with torch.inference_mode():
        return model.generate(**inputs, do_sample=False, **length)


def eager_rows(model, inputs, image_tokens):
    """Ids, and (batch, steps, layers, heads, image tokens) of the last query of every step."""
    model.set_attn_implementation("eager")
    output = generate(model, inputs, output_attentions=True, return_dict_in_generate=True)
    steps = [
        torch.stack([layer[:, :, -1, : image_tokens.shape[1]] for layer in step], dim=1) for step in output.attentions
    ]
    rows = torch.stack(steps, dim=1)
    picked = [sample[..., columns] for sample, columns in zip(rows, image_tokens)]
    return output.sequences, torch.stack(picked)
