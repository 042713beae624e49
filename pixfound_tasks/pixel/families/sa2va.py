"""Sa2VA: a multimodal model whose [SEG] tokens prompt SAM 2.

Source: Yuan et al., "Sa2VA: Marrying SAM2 with LLaVA for Dense Grounded Understanding of Images and Videos"
(arXiv 2501.04001).
"""

from __future__ import annotations

from pixfound_tasks.pixel.base import PixelModel
from pixfound_tasks.pixel.checkpoint import Checkpoint
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.internvl import load_internvl
from pixfound_tasks.pixel.qwen_vl import load_sa2va_qwen
from pixfound_tasks.pixel.sam2_decoder import SA2VA
from pixfound_tasks.pixel.with_sam2 import load_with_sam2

_OF_QWEN = "Sa2VAChatModelQwen"
_PHRASE = ("<p>", "</p>")


def load_sa2va(checkpoint: Checkpoint, options: Options) -> PixelModel:
    """Return Sa2VA. The state at [SEG], when it is the model's input, prompts SAM 2.

    Its base is InternVL2.5 or InternVL3, or Qwen2.5-VL or Qwen3-VL. Answers are shown without the special tokens of the
    tokenizer, [SEG] among them.

    Raises:
        ValueError: if the language model is of another family, or the tokenizer has no [SEG].
        CheckpointError: if the weights are not those of the model.
    """
    is_qwen = _OF_QWEN in (checkpoint.config.get("architectures") or ())
    base = (load_sa2va_qwen if is_qwen else load_internvl)(checkpoint, options)
    known = base.processor.tokenizer.get_added_vocab()
    if "[SEG]" not in known:
        raise ValueError(f"expected the added tokens of {checkpoint.folder} to hold [SEG], but got {sorted(known)}")
    drawer = load_with_sam2(checkpoint, options, base.model, base.rules, "text_hidden_fcs", SA2VA)
    return PixelModel(
        "sa2va",
        base.model,
        base.processor,
        drawer.projection,
        drawer.decoder,
        int(known["[SEG]"]),
        state_of="consume",
        is_normed=base.is_normed,
        phrase_tokens=(known[_PHRASE[0]], known[_PHRASE[1]]) if known.keys() >= set(_PHRASE) else None,
    )
