"""Several prompts and answers behind one image, in one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pixfound_tasks.mini.dialogues import Dialogue
from pixfound_tasks.mini.model import GRID

IGNORED = -100
_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions."
)
PREFIX = f" {_SYSTEM} USER:<im_start><image><im_end>"


class Packed(NamedTuple):
    """Model inputs for several scenes.

    `labels` is int64 (scenes, tokens). `mask_states` is int64 (masks, 2): the row and the position of the token that
    predicts each `[SEG]`, in the order of the dialogues that have a target.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    mask_states: Tensor


def pack(tokenizer: Any, scenes: Sequence[Sequence[Dialogue]]) -> Packed:
    """Put all dialogues of a scene after one image. Positions restart for each, and none attends to another."""
    image, seg = (tokenizer.convert_tokens_to_ids(token) for token in ("<image>", "[SEG]"))
    start, rest = tokenizer(PREFIX).input_ids, []
    at = start.index(image)
    prefix = start[:at] + [image] * GRID**2 + start[at + 1 :]
    for dialogues in scenes:
        texts = [f" {d.prompt} ASSISTANT:" for d in dialogues] + [f" {d.answer}" for d in dialogues]
        ids = tokenizer(texts, add_special_tokens=False).input_ids
        rest.append([(q, [*a, tokenizer.eos_token_id]) for q, a in zip(ids, ids[len(dialogues) :])])

    head = len(prefix)
    length = head + max(sum(len(q) + len(a) for q, a in row) for row in rest)
    tokens, labels, positions, segments = (torch.full((len(rest), length), fill) for fill in (0, IGNORED, 0, -1))
    tokens[:, :head], positions[:, :head], segments[:, :head] = torch.tensor(prefix), torch.arange(head), 0
    states = []
    for index, row in enumerate(rest):
        begin = head
        for segment, (prompt, answer) in enumerate(row, start=1):
            end = begin + len(prompt) + len(answer)
            tokens[index, begin:end] = torch.tensor(prompt + answer)
            labels[index, begin + len(prompt) : end] = torch.tensor(answer)
            positions[index, begin:end] = head + torch.arange(end - begin)
            segments[index, begin:end] = segment
            if seg in answer:
                states.append((index, begin + len(prompt) + answer.index(seg) - 1))
            begin = end
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    allowed = causal & ((segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None]))
    inputs = {"input_ids": tokens, "position_ids": positions, "attention_mask": allowed[:, None]}
    return Packed(inputs, labels, torch.tensor(states, dtype=torch.long).reshape(-1, 2))
