"""What the families in miniature are built from: a toy tokenizer of single characters, and tiny configurations."""

from __future__ import annotations

from typing import Any

import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SIDE, PATCH, WIDTH = 56, 14, 64


SPECIAL = (
    "<pad> <s> </s> <unk> <image> <video> <|image_pad|> <|video_pad|> <|vision_start|> <|vision_end|> <IMG_CONTEXT> "
    "<img> </img> <image_soft_token> <start_of_image> <end_of_image> <fake_token_around_image> <global-img> "
    "<end_of_utterance> [IMG] [IMG_BREAK] [IMG_END] <|image|> <|video|> <|begin_of_image|> <|end_of_image|> "
    "<|begin_of_text|> <|begin_of_video|> <|end_of_video|>"
).split() + [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]


CHARACTERS = [chr(code) for code in range(33, 127)] + ["▁", " ", "\n", "\n\n", "\n\n\n"]


IDS = {word: index for index, word in enumerate(SPECIAL + CHARACTERS)}


def make_tokenizer(**named_tokens: str) -> hf.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(SPECIAL)
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=named_tokens,
    )  # fmt: skip


def text_config(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    config = dict(
        vocab_size=len(IDS), hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes


def vision_config(model_type: str | None = None, **changes: Any) -> dict[str, Any]:
    config = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE,
        patch_size=PATCH,
    )  # fmt: skip
    return config | ({"model_type": model_type} if model_type else {}) | changes
