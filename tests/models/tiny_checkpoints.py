"""Tiny random checkpoints of models that lmms-eval's own wrappers run, of the real classes with real processors."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf
from attention.dynamic_families import qwen2_5_vl
from attention.toys import IDS, make_tokenizer
from grounding import tiny_sams
from models.checkpoint_code import TinyModel, TinyProcessor, TinyThinker

# What a chat wrapper asks of a processor: the message's parts in their order.
CHAT = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}"
    "{% endfor %}{% endfor %}"
)


def save_qwen(folder: Path) -> Path:
    """The code that comes with it is loaded with `trust_remote_code`."""
    torch.manual_seed(0)
    plain, _, config, _ = qwen2_5_vl()
    TinyModel.register_for_auto_class("AutoModel")
    TinyProcessor.register_for_auto_class()
    TinyModel(config).save_pretrained(folder)
    processor = TinyProcessor(plain.image_processor, plain.tokenizer, plain.video_processor, chat_template=CHAT)
    processor.save_pretrained(folder)
    return folder


def save_thinker(folder: Path, said: str) -> Path:
    """A model that says one thing, after the thinking that its chat template has opened."""
    torch.manual_seed(0)
    plain, _, config, _ = qwen2_5_vl()
    config.said = plain.tokenizer(said, add_special_tokens=False).input_ids
    TinyThinker.register_for_auto_class("AutoModel")
    TinyProcessor.register_for_auto_class()
    TinyThinker(config).save_pretrained(folder)
    template = CHAT + "{% if add_generation_prompt %}<think>{% endif %}"
    processor = TinyProcessor(plain.image_processor, plain.tokenizer, plain.video_processor, chat_template=template)
    processor.save_pretrained(folder)
    return folder


def save_sam3(folder: Path) -> Path:
    torch.manual_seed(0)
    hf.Sam3Model(hf.Sam3Config(**tiny_sams.sam3_detector(len(IDS)))).save_pretrained(folder)
    images = hf.Sam3ImageProcessor(size={"height": 56, "width": 56})
    hf.Sam3Processor(images, make_tokenizer()).save_pretrained(folder)
    return folder
