"""The inputs of LISA's and GLaMM's language model, as their own scripts make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature

from pixfound_tasks.pixel.clip_pixels import ClipPixels
from pixfound_tasks.pixel.conversation import IMAGE, check_template, conversation
from pixfound_tasks.pixel.slow_tokenizer import SlowLlamaTokenizer


class LlavaProcessor:
    """Turns prompts with one image each into ids and pixels; it is called as the processors of transformers are.

    Args:
        tokenizer: the tokenizer.
        image_processor: makes the pixels.
        image_token_id: the id that stands for each of an image's tokens.
        image_tokens: the number of an image's tokens.
        template: the name of the conversation's template.
        frame: the text around the user's words, with `<image>` and `{}`.
    """

    image_token = IMAGE

    def __init__(
        self,
        tokenizer: SlowLlamaTokenizer,
        image_processor: ClipPixels,
        image_token_id: int,
        image_tokens: int,
        template: str,
        frame: str,
    ) -> None:
        self.tokenizer, self.image_processor = tokenizer, image_processor
        self.image_token_id, self.image_tokens = image_token_id, image_tokens
        self.template, self.frame = check_template(template), frame
        self.chat_template = template  # its name

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Return the text of a conversation with one image, with the place of the next answer."""
        return conversation(self.template, messages, self.frame)

    def __call__(self, images: Sequence[Sequence[Image.Image]], text: Sequence[str], **options: Any) -> BatchFeature:
        """Return `input_ids`, `attention_mask` (padded on the left) and `pixel_values` of prompts with one image."""
        ids = [self.ids(each) for each in text]
        longest = max(map(len, ids))
        pad = self.tokenizer.pad_token_id
        data = {
            "input_ids": torch.tensor([[pad] * (longest - len(row)) + row for row in ids]),
            "attention_mask": torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids]),
            "pixel_values": torch.from_numpy(self.image_processor([image for (image,) in images])),
        }
        return BatchFeature(data)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text with one `<image>`, around which its parts are encoded on their own."""
        parts = text.split(IMAGE)
        if len(parts) != 2:
            raise ValueError(f"expected one {IMAGE} in the prompt, but got {len(parts) - 1}: {text!r}")
        before, after = (self.tokenizer.encode(part, add_special_tokens=False) for part in parts)
        return [self.tokenizer.bos_token_id, *before, *[self.image_token_id] * self.image_tokens, *after]
