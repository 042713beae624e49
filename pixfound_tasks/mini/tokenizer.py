"""The embedded models' tokenizer (a fixed list of whole words) and the LLaVA processor with CLIP preprocessing."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

SIZE = 120  # pixels; images of all shapes are resized to this square
PATCH = 12
SPECIAL = ("<unk>", "<s>", "</s>")
ADDED = ("[SEG]", "<im_start>", "<im_end>", "<image>")  # in the order of LISA; the last is LLaVA's only
BLANK = "\u2581"
_WORDS = Path(__file__).with_name("words.txt")
_CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def pieces() -> list[str]:
    """Return the vocabulary without the added tokens, in the order of the ids."""
    words = _WORDS.read_text(encoding="utf-8").split()
    return [*SPECIAL, BLANK, "\n", *(prefix + word for word in words for prefix in ("", BLANK))]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer over `words.txt`. It has each word with and without a leading space."""
    vocabulary = {piece: index for index, piece in enumerate(pieces())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", BLANK)
    pattern = f"{BLANK}?[A-Za-z]+|{BLANK}?[0-9]|\n|{BLANK}?[^A-Za-z0-9\n{BLANK}]|{BLANK}"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer.add_tokens([AddedToken(token, lstrip=token == "[SEG]", normalized=False) for token in ADDED])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},  # otherwise the token is lost on reload
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def image_processor() -> CLIPImageProcessor:
    """Return the preprocessing of the vision tower: resized to a square of 120 pixels, and not cropped."""
    size = {"height": SIZE, "width": SIZE}
    return CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False)


def build_processor() -> LlavaProcessor:
    """Return the processor that is saved with the weights."""
    return LlavaProcessor(
        image_processor(),
        build_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT_TEMPLATE.read_text(encoding="utf-8"),
    )
