"""Generate an answer and keep, for every token of it, what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from pixfound_tasks.attention.geometry import TokenGeometry, token_geometry
from pixfound_tasks.attention.recorder import Query, choose_layers, record_attention


@dataclass(frozen=True)
class Look:
    """An answer and the attention behind it.

    `token_chars` are half-open ranges in `text`, one per generated token (end-of-text left out); `rows` is float32
    (tokens, image tokens), the attention of each generated token to the image tokens, averaged over layers and heads.
    """

    text: str
    token_chars: tuple[tuple[int, int], ...]
    rows: np.ndarray
    geometry: TokenGeometry


@dataclass(frozen=True)
class Lens:
    """A transformers image-text-to-text model with its processor, through which one sees what its answers look at.

    `layers` and `query` are as in `record_attention` and `AttentionRecord.rows`.
    """

    model: Any
    processor: Any
    layers: Sequence[int] | Literal["all"] = "all"
    query: Query = "predict"

    def __post_init__(self) -> None:
        choose_layers(self.layers, self.model.config.get_text_config().num_hidden_layers)

    def look(self, image: Image.Image, prompt: str, **generation: Any) -> Look:
        """Answer a prompt about an image, greedily unless `generation` says otherwise."""
        return self.look_all([image], [prompt], **generation)[0]

    def look_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[Look]:
        """One look per image and prompt, in one batch."""
        inputs = self._inputs(images, prompts)
        image_tokens = inputs["input_ids"] == self.model.config.image_token_id
        geometries = [
            token_geometry(self.model.config, self.processor.image_processor, (image.height, image.width), count)
            for image, count in zip(images, image_tokens.sum(dim=1).tolist())
        ]
        with record_attention(self.model, image_tokens, layers=self.layers) as record:
            answers = self._generate(inputs, generation)
        spans = [token_spans(self.processor.tokenizer, ids) for ids in answers]
        rows = [rows[: len(ids)] for rows, ids in zip(record.rows(self.query).numpy(), answers)]
        return [Look(*span, *seen) for span, *seen in zip(spans, rows, geometries)]

    def answer_all(self, images: Sequence[Image.Image], prompts: Sequence[str], **generation: Any) -> list[str]:
        """The answers alone, nothing recorded."""
        answers = self._generate(self._inputs(images, prompts), generation)
        return [self.processor.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in answers]

    def _inputs(self, images: Sequence[Image.Image], prompts: Sequence[str]):
        texts = [
            self.processor.apply_chat_template(
                [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}],
                add_generation_prompt=True,
            )
            for prompt in prompts
        ]
        # Answers follow their prompts directly only where the padding is on the left.
        options = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
        inputs = self.processor(images=list(images), text=texts, **options)
        return inputs.to(self.model.device, self.model.dtype)

    @torch.inference_mode()
    def _generate(self, inputs, generation: dict[str, Any]) -> list[list[int]]:
        """The generated token ids of every sample, up to its first end-of-text or padding token."""
        sequences = self.model.generate(**inputs, **{"do_sample": False, **generation})
        config = self.model.generation_config
        ends = {config.pad_token_id}
        ends |= set(config.eos_token_id) if isinstance(config.eos_token_id, list) else {config.eos_token_id}
        answers = []
        for ids in sequences[:, inputs["input_ids"].shape[1] :].tolist():
            stop = next((index for index, token in enumerate(ids) if token in ends), len(ids))
            answers.append(ids[:stop])
        return answers


def token_spans(tokenizer, ids: Sequence[int]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of generated tokens without outer blanks, and the range of each token in it.

    A token's range is what decoding it adds to the tokens before it; a token that adds nothing yet, such as the first
    bytes of a character, has an empty range.
    """
    whole = tokenizer.decode(ids, skip_special_tokens=True)
    lead = len(whole) - len(whole.lstrip())
    text = whole.strip()
    ends = [0]
    for count in range(1, len(ids) + 1):
        so_far = tokenizer.decode(ids[:count], skip_special_tokens=True)
        agreed = next((at for at, (a, b) in enumerate(zip(so_far, whole)) if a != b), min(len(so_far), len(whole)))
        ends.append(max(ends[-1], agreed))
    ends = [min(max(end - lead, 0), len(text)) for end in ends]
    return text, tuple(zip(ends[:-1], ends[1:]))
