"""The first LLaVA's layout of a checkpoint, which LISA and GLaMM share, as transformers' LLaVA with SAM beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionModel,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    SamModel,
    logging,
)

from pixfound_tasks.pixel.checkpoint import Checkpoint, CheckpointError, Rule, building, load_weights, open_checkpoint
from pixfound_tasks.pixel.clip_pixels import ClipPixels
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.llava_processor import LlavaProcessor
from pixfound_tasks.pixel.placement import Placement
from pixfound_tasks.pixel.sam_weights import sam_config, sam_rules
from pixfound_tasks.pixel.slow_tokenizer import SlowLlamaTokenizer

TEMPLATE = "llava_v1"  # the default of the authors' scripts
_OF_LANGUAGE_MODEL = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_act",
    "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling", "bos_token_id", "eos_token_id",
)  # fmt: skip
_LANGUAGE_MODEL = "model.model.language_model"
_PROJECTOR = "model.model.multi_modal_projector"
_PARAMETER = r"(weight|bias)"


@dataclass(frozen=True)
class LlavaParts:
    """The loaded parts of a checkpoint in this layout."""

    model: Any
    processor: LlavaProcessor
    projection: nn.Module
    sam: Any
    more: nn.ModuleDict
    mask_token: int


def load_llava(
    checkpoint: Checkpoint,
    options: Options,
    sam: str,
    frame: str,
    hidden: Sequence[str] = (),
    more: Mapping[str, nn.Module] | None = None,
    rules: Sequence[Rule] = (),
) -> LlavaParts:
    """Return the parts of a checkpoint.

    Args:
        checkpoint: the checkpoint, without CLIP's weights, which its config.json names.
        options: `template` and `vision_tower` (a hub name or a folder, instead of the config's) among `more`.
        sam: the name of SAM in the checkpoint's keys.
        frame: the text around the user's words, see `LlavaProcessor`.
        hidden: the added tokens that answers are shown without.
        more: modules on the meta device with weights of their own, by name.
        rules: the rules of their weights, whose targets begin with "more.".

    Raises:
        ValueError: if the tokenizer has no [SEG].
        CheckpointError: if the weights are not those of the model.
    """
    given = dict(options.more or {})
    shapes, config = checkpoint.shapes, checkpoint.config
    tower = open_checkpoint(find_vision_tower(checkpoint, given.get("vision_tower")))
    dtype = options.dtype or getattr(torch, str(config.get("torch_dtype") or config.get("dtype") or "float32"))
    vocabulary = config.get("vocab_size") or shapes["model.embed_tokens.weight"][0]
    clip = _vision_tower(tower, dtype, options.attn_implementation)
    # Made before the weights are read, because it may fail.
    processor = _processor(checkpoint, tower, clip.config.patch_size, vocabulary, given.get("template"), frame, hidden)
    with building(checkpoint.folder), init_empty_weights():
        model = _language_model(config, shapes, clip, vocabulary, options.attn_implementation)
        drawing = SamModel(sam_config(shapes, f"model.{sam}."))
        projection = _projection(model.config.text_config.hidden_size, drawing)
    model.model.vision_tower = clip
    parts = nn.ModuleDict({"model": model, "projection": projection, "sam": drawing, "more": nn.ModuleDict(more or {})})
    placement = Placement(parts, options.device_map, dtype, options.dtype or torch.float32)
    depth = drawing.config.mask_decoder_config.iou_head_depth
    load_weights(parts, checkpoint, [*_rules(), *sam_rules(f"model.{sam}.", "sam.", depth), *rules], placement)
    placement.settle()
    tokenizer = processor.tokenizer
    # The unknown token pads prompts, but an answer that holds it goes on.
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id
    )
    return LlavaParts(model.eval(), processor, projection, drawing.eval(), parts["more"], tokenizer.added["[SEG]"])


def _processor(
    checkpoint: Checkpoint,
    tower: Checkpoint,
    patch: int,
    vocabulary: int,
    template: str | None,
    frame: str,
    hidden: Sequence[str],
) -> LlavaProcessor:
    """Return the processor, whose image token has the first id that is none of the vocabulary."""
    tokenizer = SlowLlamaTokenizer(checkpoint.folder, hidden)
    if "[SEG]" not in tokenizer.added:
        raise ValueError(f"expected the added tokens of {checkpoint.folder} to hold [SEG], but got {tokenizer.added}")
    pixels = ClipPixels(tower.read("preprocessor_config.json"))
    image_tokens = (pixels.crop_size["height"] // patch) ** 2
    return LlavaProcessor(tokenizer, pixels, vocabulary, image_tokens, template or TEMPLATE, frame)


def find_vision_tower(checkpoint: Checkpoint, given: str | None = None) -> str:
    """Return the name or the folder of CLIP: the given one, or that of the config.

    A folder of this name in the checkpoint's folder or beside it comes first.
    """
    names = ("vision_tower", "mm_vision_tower", "vision_module", "mm_vision_module")
    name = given or next((checkpoint.config[each] for each in names if checkpoint.config.get(each)), None)
    if not name:
        raise ValueError(
            f"expected the config.json of {checkpoint.folder} to name vision_tower; give vision_tower=NAME"
        )
    near = (checkpoint.folder / name, checkpoint.folder.parent / name)
    return str(next((path for path in near if path.is_dir()), Path(name)))


def _vision_tower(tower: Checkpoint, dtype: torch.dtype, attn_implementation: str | None) -> Any:
    """Return CLIP's image part. Its text part, which the published files have too, is left out without a word."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        clip, found = CLIPVisionModel.from_pretrained(
            tower.folder,
            dtype=dtype,
            attn_implementation=attn_implementation,
            output_loading_info=True,
            trust_remote_code=False,
        )
    finally:
        logging.set_verbosity(verbosity)
    if found["missing_keys"] or found["mismatched_keys"]:
        wrong = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
        raise CheckpointError(f"expected {tower.folder} to hold CLIP, but it has nothing that fits {wrong}")
    return clip


def _language_model(
    config: Mapping[str, Any], shapes: Mapping[str, Any], clip: Any, vocabulary: int, attn_implementation: str | None
) -> Any:
    """Return LLaVA without weights. One more embedding stands for an image's tokens: no answer can hold its id."""
    known = {name: config[name] for name in _OF_LANGUAGE_MODEL if config.get(name) is not None}
    text = LlamaConfig(**known, vocab_size=vocabulary, tie_word_embeddings=False)
    llava = LlavaConfig(
        vision_config=clip.config.to_dict(),
        text_config=text.to_dict(),
        image_token_index=vocabulary,
        vision_feature_layer=config.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=False,
    )
    chosen = {"attn_implementation": attn_implementation} if attn_implementation else {}
    model = AutoModelForImageTextToText.from_config(llava, trust_remote_code=False, **chosen)
    model.model.language_model.embed_tokens = nn.Embedding(vocabulary + 1, text.hidden_size)
    if "model.mm_projector.weight" in shapes:
        model.model.multi_modal_projector = nn.Linear(clip.config.hidden_size, text.hidden_size)
    return model


def _projection(width: int, sam: Any) -> nn.Sequential:
    """Return the layers from hidden states of this width to prompts of SAM."""
    return nn.Sequential(
        nn.Linear(width, width), nn.ReLU(), nn.Linear(width, sam.config.prompt_encoder_config.hidden_size)
    )


def _rules() -> list[Rule]:
    return [
        Rule(r"model\.embed_tokens\.weight", f"{_LANGUAGE_MODEL}.embed_tokens.weight", _with_image_token),
        Rule(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq", None),  # computed
        Rule(r"model\.(layers\..+|norm\.weight)", rf"{_LANGUAGE_MODEL}.\1"),
        Rule(r"lm_head\.weight", "model.lm_head.weight"),
        Rule(rf"model\.mm_projector\.{_PARAMETER}", rf"{_PROJECTOR}.\1"),
        Rule(rf"model\.mm_projector\.0\.{_PARAMETER}", rf"{_PROJECTOR}.linear_1.\1"),
        Rule(rf"model\.mm_projector\.2\.{_PARAMETER}", rf"{_PROJECTOR}.linear_2.\1"),
        Rule(r"model\.vision_tower\..+", None),  # the authors' scripts load CLIP by name too
        Rule(rf"model\.text_hidden_fcs\.0\.(\d)\.{_PARAMETER}", r"projection.\1.\2"),
    ]


def _with_image_token(weight: Tensor) -> Tensor:
    if weight.ndim != 2:
        return weight  # which is an error, as its shape is another
    return torch.cat([weight, weight.new_zeros(1, weight.shape[1])])
