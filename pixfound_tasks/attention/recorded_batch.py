"""Runs a lens's model on one batch, and records what its reducer needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.activations import record_activations
from pixfound_tasks.attention.answer_start import begun
from pixfound_tasks.attention.inputs import append_answers, padded_answers, with_prompt
from pixfound_tasks.attention.measured.image_tokens import MARKED, tokens_before
from pixfound_tasks.attention.record import AttentionRecord
from pixfound_tasks.attention.recorder import record_attention
from pixfound_tasks.attention.reducers import GENERIC_PROMPT, REDUCERS, Recorded
from pixfound_tasks.hosts.attention_modules import reads_encoder

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int
    from torch import Tensor

    from pixfound_tasks.attention.lens import Lens

EMPTY = "the answer is empty, and the attention behind it is not finite (NaN or infinite)"


class RecordedBatch(NamedTuple):
    """What was recorded of a batch, an item per answer.

    Attributes:
        ids: the answer's ids.
        recordings: the inputs of the reducer.
        faults: the fault EMPTY for the answer's settings if it is empty with attention that is not finite. Such an
            answer has no rows that would show it.
    """

    ids: list[list[int]]
    recordings: list[Recorded]
    faults: list[dict[str, str]]


def record_batch(
    lens: Lens,
    images: Sequence[Sequence[Image.Image]],
    inputs: Any,
    image_tokens: Bool[Tensor, "batch prompt"] | None,
    counts: Sequence[int],
    answers: Sequence[str] | None,
    generation: dict[str, Any],
) -> RecordedBatch:
    """Run a batch and record it.

    Args:
        lens: what says how to record.
        images: the images of each prompt.
        inputs: the model's inputs.
        image_tokens: true at the prompts' image tokens. None if all that the decoder cross-attends to is the image.
        counts: the number of image tokens of each prompt.
        answers: given answers, None to generate them.
        generation: options of `model.generate`.

    Raises:
        ValueError: if the reducer has no heads or does not suit the model, answers are given to an encoder-decoder, or
            the model attends to another number of image tokens than `counts` says.
    """
    _check(lens, image_tokens)
    needs = REDUCERS[lens.reducer].needs
    prompt_ids = inputs.get("input_ids")
    options: dict[str, Any] = {"layers": lens.layers, "heads": lens.heads, "value_norm": "value_norm" in needs}
    options["before_last"] = lens.query == "study"
    lens.left_out(inputs)  # found out before the recording, which is of one generation
    changes = reads_encoder(lens.model) or not lens.image_ids
    start = begun(lens.model, inputs) if answers is not None and changes else None
    with ExitStack() as recording:
        if "activations" in needs:
            hidden = recording.enter_context(record_activations(lens.model, image_tokens))
        record = recording.enter_context(record_attention(lens.model, image_tokens, **options))
        ids = lens.generate(inputs, generation) if answers is None else _read(lens, inputs, answers, start, record)
    rows = record.rows(lens.query, [len(answer) + ("end" in needs) for answer in ids]).numpy()
    if rows.shape[-1] != max(counts):
        raise ValueError(
            f"expected {max(counts)} image tokens, but the model attends to {rows.shape[-1]}: register a geometry "
            "rule that matches the model"
        )
    firsts = record.rows()[:, 0].numpy()
    is_faulty = [not ids[i] and not np.isfinite(firsts[i, :count]).all() for i, count in enumerate(counts)]
    # Copy, because a view would keep the whole batch in memory.
    recordings = [Recorded(rows[i, : len(ids[i]), :count].copy()) for i, count in enumerate(counts)]
    if "end" in needs:
        ends = [
            rows[i, len(ids[i]), :count].copy() if len(ids[i]) < rows.shape[1] else None
            for i, count in enumerate(counts)
        ]
        recordings = [replace(recorded, end=end) for recorded, end in zip(recordings, ends)]
    if "generic" in needs:
        generic = generic_rows(lens, images)
        recordings = [replace(recorded, generic=generic[i, : counts[i]]) for i, recorded in enumerate(recordings)]
    if "activations" in needs:
        recordings = [
            replace(
                recorded,
                activations=hidden.values(i, ids[i]),
                interference=hidden.interference(i, ids[i], prompt_ids[i].tolist()),
            )
            for i, recorded in enumerate(recordings)
        ]
    return RecordedBatch(ids, recordings, [{"fault": EMPTY} if faulty else {} for faulty in is_faulty])


def _check(lens: Lens, image_tokens: Bool[Tensor, "batch prompt"] | None) -> None:
    """Raise ValueError if the lens's reducer cannot be recorded on its model."""
    needs = REDUCERS[lens.reducer].needs
    if "heads" in needs and isinstance(lens.heads, str):
        raise ValueError(
            "expected chosen heads for reducer='heads', but none were chosen: pass heads, or use the lens that "
            "calibrate returns"
        )
    if "activations" in needs and (image_tokens is None or reads_encoder(lens.model)):
        raise ValueError(
            f"expected a decoder with image tokens in its prompt for reducer={lens.reducer!r}, but that of "
            f"{type(lens.model).__name__} reads them by cross-attention: choose another reducer"
        )


@torch.inference_mode()
def _read(
    lens: Lens,
    inputs: Any,
    answers: Sequence[str],
    start: Int[Tensor, "batch begun"] | None,
    record: AttentionRecord,
) -> list[list[int]]:
    """Run the model on given answers in one forward pass. Returns their ids.

    `start` replaces the prompt, or is the token that the decoder of an encoder-decoder starts with, see
    `answer_start.begun`.
    """
    ids = [lens.processor.tokenizer(answer, add_special_tokens=False).input_ids for answer in answers]
    standing = () if MARKED in inputs else lens.image_ids  # marked image tokens share their ids with words
    if not all(ids) or any(token in answer for answer in ids for token in standing):
        raise ValueError(f"expected answers of at least one token, none an image token, but got {list(answers)!r}")
    # Labels are not passed to the model: it would then compute logits for the whole prompt.
    if start is not None and reads_encoder(lens.model):
        labels = padded_answers(ids).to(start.device)
        record.expect(labels)
        lens.model(**inputs, decoder_input_ids=torch.cat([start, labels[:, :-1].clamp(min=0)], dim=1), use_cache=False)
        return ids
    if start is not None:
        inputs = with_prompt(inputs, start)
    inputs, labels = append_answers(inputs, ids, lens.model.config.model_type)
    record.expect(torch.nn.functional.pad(labels, (tokens_before(lens.image_ids), 0), value=-100))
    lens.model(**inputs, use_cache=False, logits_to_keep=1)
    return ids


def generic_rows(lens: Lens, images: Sequence[Sequence[Image.Image]]) -> Float32[np.ndarray, "batch image_tokens"]:
    """Return the row that predicts the first token of a general description."""
    inputs = lens.inputs(images, [GENERIC_PROMPT] * len(images))
    options: dict[str, Any] = {"layers": lens.layers, "heads": lens.heads}
    with record_attention(lens.model, lens.image_tokens(inputs), **options) as record:
        lens.generate(inputs, {"max_new_tokens": 1})
    return record.rows()[:, 0].numpy()
