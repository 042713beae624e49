"""Qwen2.5-VL and Qwen3-VL in pixel-level checkpoints, as transformers' own models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from accelerate import init_empty_weights
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    GenerationConfig,
    PreTrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen3VLConfig,
    Qwen3VLProcessor,
)

from pixfound_tasks.hosts.image_processors import qwen2_vl_size
from pixfound_tasks.pixel.checkpoint import Checkpoint, Rule, building
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.with_sam2 import Base

TOKEN = 28  # the side in pixels of an image token of Qwen2.5-VL, in which all limits are given
_BASES: dict[str, tuple[type[PreTrainedConfig], type[Any]]] = {
    "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLProcessor),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLProcessor),
}
# What is about the checkpoint, not about the language model and its image encoder.
_NOT_OF_BASE = ("architectures", "auto_map", "model_type", "template", "torch_dtype", "dtype", "quantization_config")
_EMBEDDINGS, _HEAD = "model.model.language_model.embed_tokens.weight", "model.lm_head.weight"


class Resize(NamedTuple):
    """A resize to sides that are multiples of `side`, with `least` to `most` pixels."""

    side: int
    least: int
    most: int


class QwenProcessor:
    """A processor of Qwen-VL, which resizes images with Pillow first, as the authors' `qwen_vl_utils` does.

    It is called as the processors of transformers are. `<image>` in the user's words is left out.

    Args:
        processor: transformers' processor.
        first: the resize with Pillow.
        second: the limits of the processor's own resize; None if they are those of the first.
        as_video: whether an image stands where the tokens of a video do. A video of one frame has the same pixels and
            positions, so that nothing else differs.
    """

    def __init__(self, processor: Any, first: Resize, second: Resize | None = None, as_video: bool = False) -> None:
        self.processor, self.first, self.as_video = processor, first, as_video
        self.tokenizer, self.image_processor = processor.tokenizer, processor.image_processor
        self.chat_template, self.image_token = processor.chat_template, processor.image_token
        limits = second or first
        # The geometry of the image tokens is read from these.
        self.image_processor.size = {"shortest_edge": limits.least, "longest_edge": limits.most}
        if second:
            self.image_processor.resized_before = tuple(first)

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Return the text of messages by the checkpoint's own template."""
        return self.processor.apply_chat_template([_without_placeholder(message) for message in messages], **options)

    def __call__(self, images: Sequence[Sequence[Image.Image]], text: Sequence[str], **options: Any) -> Any:
        """Return the model's inputs; see the processors of transformers."""
        inputs = self.processor(images=[[self.resized(each) for each in own] for own in images], text=text, **options)
        if self.as_video:
            ids = inputs["input_ids"]
            ids[ids == self.processor.image_token_id] = self.processor.video_token_id
        return inputs

    def resized(self, image: Image.Image) -> Image.Image:
        """Return the image after the first resize."""
        height, width = qwen2_vl_size((image.height, image.width), *self.first)
        return image.resize((width, height), Image.Resampling.BICUBIC)


def _without_placeholder(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": content.replace("<image>", "")}
    parts = [{**p, "text": p["text"].replace("<image>", "")} if p["type"] == "text" else p for p in content]
    return {**message, "content": parts}


def find_base(checkpoint: Checkpoint) -> str:
    """Return the model type of the Qwen that a config.json is of. Raises ValueError if it is another model's."""
    config = checkpoint.config
    parts = (config, config.get("text_config") or {}, config.get("vision_config") or {})
    types = [str(part.get("model_type")) for part in parts]
    found = next((base for base in _BASES for name in types if name.startswith(base)), None)
    if found is None:
        raise ValueError(f"expected a model type of {sorted(_BASES)} in {checkpoint.folder}, but got {types}")
    return found


def build_qwen(checkpoint: Checkpoint, options: Options) -> Any:
    """Return the Qwen-VL of a checkpoint, with parameters on the meta device."""
    given = {name: value for name, value in checkpoint.config.items() if name not in _NOT_OF_BASE}
    config = _BASES[find_base(checkpoint)][0].from_dict(given)
    # If the head is stored, it is not the embeddings.
    is_tied = not any(key.endswith("lm_head.weight") for key in checkpoint.shapes)
    config.tie_word_embeddings = config.get_text_config().tie_word_embeddings = is_tied
    chosen = {"attn_implementation": options.attn_implementation} if options.attn_implementation else {}
    with building(checkpoint.folder), init_empty_weights():
        return AutoModelForImageTextToText.from_config(config, trust_remote_code=False, **chosen)


def open_processor(checkpoint: Checkpoint) -> Any:
    """Return transformers' processor of a checkpoint."""
    return _BASES[find_base(checkpoint)][1].from_pretrained(checkpoint.folder, trust_remote_code=False)


def qwen_rules(visual: str, language_model: str, head: str, is_tied: bool) -> list[Rule]:
    """Return the rules of Qwen-VL's weights. The names of its parts in the checkpoint are regular expressions.

    With `is_tied`, the head gets the embeddings.
    """
    embeddings = (_EMBEDDINGS, _HEAD) if is_tied else _EMBEDDINGS
    return [
        Rule(rf"{visual}\.(.+)", r"model.model.visual.\1"),
        Rule(rf"{language_model}\.embed_tokens\.weight", embeddings),
        Rule(rf"{language_model}\.((?:layers|norm)\..+)", r"model.model.language_model.\1"),
        Rule(rf"{head}\.weight", _HEAD),
    ]


def load_sa2va_qwen(checkpoint: Checkpoint, options: Options) -> Base:
    """Return the Qwen2.5-VL or Qwen3-VL of a checkpoint of Sa2VA.

    Sa2VA was trained with transformers 4.57, whose last hidden state of Qwen3-VL is the one before the final norm.
    """
    model, processor = build_qwen(checkpoint, options), open_processor(checkpoint)
    first = Resize(TOKEN, 4 * TOKEN**2, 16384 * TOKEN**2)  # of qwen_vl_utils
    own = processor.image_processor
    second = Resize(own.patch_size * own.merge_size, 512 * TOKEN**2, 2048 * TOKEN**2)
    tokenizer = processor.tokenizer
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=pad)
    is_tied = model.config.tie_word_embeddings
    rules = qwen_rules(r"model\.model\.visual", r"model\.model\.language_model", r"model\.lm_head", is_tied)
    is_normed = find_base(checkpoint) != "qwen3_vl"
    return Base(model, QwenProcessor(processor, first, second), rules, is_normed)
