"""The embedded model's tokenizer (a fixed list of whole words) and its LLaVA processor with CLIP preprocessing."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

from pixfound_tasks.mini.scenes import SIZE

PATCH = 14
_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
_BLANK = "\u2581"
_WORDS = Path(__file__).with_name("words.txt")
_CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer over `words.txt`. It has each word with and without a leading space."""
    words = _WORDS.read_text(encoding="utf-8").split()
    pieces = [_BLANK, "\n", *(prefix + word for word in words for prefix in ("", _BLANK))]
    vocabulary = {piece: index for index, piece in enumerate((*_SPECIAL, *pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", _BLANK)
    pattern = f"{_BLANK}?[A-Za-z]+|{_BLANK}?[0-9]|\n|{_BLANK}?[^A-Za-z0-9\n{_BLANK}]|{_BLANK}"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(_BLANK, " "), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},  # otherwise the token is lost on reload
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def build_processor() -> LlavaProcessor:
    """Return the processor that is saved with the weights. It resizes the shortest edge to 112 and center-crops."""
    pixels = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    return LlavaProcessor(
        pixels,
        build_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT_TEMPLATE.read_text(encoding="utf-8"),
    )
