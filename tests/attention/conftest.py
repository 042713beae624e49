"""Inputs of the tiny LLaVA."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def tiny_inputs():
    """A batch of two prompts of different length, padded on the left; 16 image tokens each."""
    torch.manual_seed(1)
    ids = torch.randint(5, 90, (2, 24))
    ids[:, 4:20] = 99
    mask = torch.ones_like(ids)
    ids[0, :3], mask[0, :3] = 0, 0
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": torch.randn(2, 3, 56, 56)}
