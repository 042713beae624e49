"""The inputs of Sa2VA's InternVL, as the authors' `predict_forward` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature

from pixfound_tasks.choices import check_choice
from pixfound_tasks.pixel.tiles import TilePixels

IMAGE = "<image>"


@dataclass(frozen=True)
class Turns:
    """How a prompt becomes text: an optional system message, the user's turn, and texts that end an answer."""

    system: str
    user: str
    stops: tuple[str, ...]


TEMPLATES = {
    "qwen_chat": Turns(
        "<|im_start|>system\n{}<|im_end|>\n",
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        ("<|im_end|>", "<|endoftext|>"),
    ),
    "internlm2_chat": Turns(
        "<|im_start|>system\n{}<|im_end|>\n",
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        ("<|im_end|>",),
    ),
    "phi3_chat": Turns("<|system|>\n{}<|end|>\n", "<|user|>\n{}<|end|>\n<|assistant|>\n", ("<|end|>",)),
}


class InternvlProcessor:
    """Turns prompts with one image each into ids and tiles; it is called as the processors of transformers are.

    Args:
        tokenizer: the checkpoint's own.
        tile_tokens: the number of image tokens of a tile.
        template: a name in `TEMPLATES`; the authors' config.json may spell it with "-".

    Raises:
        ValueError: if the template is unknown.
    """

    image_token = "<IMG_CONTEXT>"

    def __init__(self, tokenizer: Any, tile_tokens: int, template: str) -> None:
        name = template.replace("-", "_")
        check_choice("template", name, TEMPLATES)
        self.tokenizer, self.tile_tokens, self.template = tokenizer, tile_tokens, TEMPLATES[name]
        self.image_processor = TilePixels()
        self.chat_template = name
        self.image_token_id = int(tokenizer.convert_tokens_to_ids(self.image_token))

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Return the text of one user's turn with an image, which a system message may precede.

        Words that hold `<image>` are taken as they are. Else it precedes them in a line of its own, as in training.
        """
        system = "".join(self.template.system.replace("{}", _words(m)) for m in messages if m["role"] == "system")
        turns = [message for message in messages if message["role"] != "system"]
        if len(turns) != 1:
            raise ValueError(f"expected one turn of the user, but got {[message['role'] for message in turns]}")
        words = _words(turns[0])
        words = words if IMAGE in words else f"{IMAGE}\n{words}"
        return system + self.template.user.replace("{}", words)

    def __call__(self, images: Sequence[Sequence[Image.Image]], text: Sequence[str], **options: Any) -> BatchFeature:
        """Return `input_ids`, `attention_mask` (padded on the left) and `pixel_values` of prompts with one image."""
        alone = [image for (image,) in images]
        ids = [self.ids(own, image) for own, image in zip(text, alone)]
        longest = max(map(len, ids))
        pad = self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        data = {
            "input_ids": torch.tensor([[pad] * (longest - len(row)) + row for row in ids]),
            "attention_mask": torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids]),
            "pixel_values": torch.from_numpy(self.image_processor(alone)),
        }
        return BatchFeature(data)

    def ids(self, text: str, image: Image.Image) -> list[int]:
        """Return the ids of a text with one `<image>`, in whose place are the tokens of the image's tiles."""
        if text.count(IMAGE) != 1:
            raise ValueError(f"expected one {IMAGE} in the prompt, but got {text.count(IMAGE)}: {text!r}")
        tokens = self.image_token * (self.tile_tokens * self.image_processor.count(image))
        return self.tokenizer(text.replace(IMAGE, f"<img>{tokens}</img>")).input_ids


def _words(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(p["text"] for p in content if p["type"] == "text")
