"""InternVL in Sa2VA's checkpoints, with the names of OpenGVLab's code, as transformers' InternVL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import transformers
from accelerate import init_empty_weights
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    GenerationConfig,
    InternVLConfig,
    PreTrainedConfig,
)

from pixfound_tasks.pixel.checkpoint import Checkpoint, Rule, building
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.internvl_processor import InternvlProcessor
from pixfound_tasks.pixel.stop_texts import stop_at
from pixfound_tasks.pixel.with_sam2 import Base

_RATIO = 0.5  # of pixel shuffle; the authors' code has this number
_LANGUAGE_MODELS = {"Qwen2ForCausalLM": "qwen2", "LlamaForCausalLM": "llama", "Phi3ForCausalLM": "phi3"}
_OF_LANGUAGE_MODEL = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "hidden_act", "max_position_embeddings", "original_max_position_embeddings", "rms_norm_eps", "rope_theta",
    "rope_scaling", "partial_rotary_factor", "attention_bias", "use_sliding_window", "sliding_window",
    "max_window_layers", "bos_token_id", "eos_token_id", "pad_token_id",
)  # fmt: skip
_TOWER, _PROJECTOR = "model.model.vision_tower", "model.model.multi_modal_projector"
_PARAMETER = r"(weight|bias)"


def load_internvl(checkpoint: Checkpoint, options: Options) -> Base:
    """Return the InternVL of a checkpoint of Sa2VA.

    `template` among the family's options replaces that of config.json.

    Raises:
        ValueError: if the language model or the template is unknown.
        CheckpointError: if a weight that tells a size is missing.
    """
    config, text = checkpoint.config, _text_config(checkpoint)
    tokenizer = _tokenizer(checkpoint)
    vision = config["vision_config"]
    template = str((options.more or {}).get("template") or config.get("template") or "qwen_chat")
    side = int(vision.get("image_size", 448)) // int(vision.get("patch_size", 14)) * _RATIO
    processor = InternvlProcessor(tokenizer, int(side) ** 2, template)
    internvl = InternVLConfig(
        vision_config=_vision_config(vision, checkpoint.shapes),
        text_config=text.to_dict(),
        image_token_id=processor.image_token_id,
        image_seq_length=processor.tile_tokens,
        downsample_ratio=_RATIO,
        vision_feature_layer=int(config.get("select_layer", -1)),
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )
    chosen = {"attn_implementation": options.attn_implementation} if options.attn_implementation else {}
    with building(checkpoint.folder), init_empty_weights():
        model = AutoModelForImageTextToText.from_config(internvl, trust_remote_code=False, **chosen)
    if internvl.vision_config.use_qk_norm:
        for layer in model.model.vision_tower.encoder.layer:
            for norm in (layer.attention.q_norm, layer.attention.k_norm):
                norm.variance_epsilon = internvl.vision_config.layer_norm_eps
    _set_endings(model, processor)
    return Base(model, processor, _rules())


def _tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the tokenizer, by the class that its own file names: transformers does not know the model's type."""
    name = str(checkpoint.read("tokenizer_config.json").get("tokenizer_class"))
    found = getattr(transformers, name, None)
    if found is None:
        raise ValueError(f"expected a tokenizer of transformers in {checkpoint.folder}, but tokenizer_class is {name}")
    return found.from_pretrained(checkpoint.folder, trust_remote_code=False)


def _set_endings(model: Any, processor: InternvlProcessor) -> None:
    """Tell the model which tokens and texts end an answer."""
    tokenizer, known = processor.tokenizer, processor.tokenizer.get_added_vocab()
    stops = processor.template.stops
    ends = dict.fromkeys([tokenizer.eos_token_id, *(known[text] for text in stops if text in known)])
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    model.generation_config = GenerationConfig(eos_token_id=list(ends), pad_token_id=pad)
    if spelled := [text for text in stops if text not in known]:
        stop_at(model, tokenizer, spelled)


def _text_config(checkpoint: Checkpoint) -> PreTrainedConfig:
    given = checkpoint.config["llm_config"]
    name = (given.get("architectures") or [None])[0]
    if name not in _LANGUAGE_MODELS:
        raise ValueError(
            f"expected a language model of one of {sorted(_LANGUAGE_MODELS)} in {checkpoint.folder}, but got {name}: "
            "transformers has no class for it. Sa2VA-8B and -26B have InternLM2; run them by their own code, see "
            "`pixfound_tasks.pixel.adapters`"
        )
    known = {key: given[key] for key in _OF_LANGUAGE_MODEL if given.get(key) is not None}
    vocabulary = given.get("vocab_size") or checkpoint.shapes["language_model.model.embed_tokens.weight"][0]
    return AutoConfig.for_model(_LANGUAGE_MODELS[name], **known, vocab_size=vocabulary, tie_word_embeddings=False)


def _vision_config(given: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Return transformers' configuration of the vision transformer. What is not given is read off the weights."""
    same = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels", "hidden_act",
        "layer_norm_eps", "image_size", "patch_size",
    )  # fmt: skip
    found = {name: given[name] for name in same if given.get(name) is not None}
    first = "vision_model.encoder.layers.0."
    norm = "layer_norm" if f"{first}norm1.bias" in shapes else "rms_norm"
    return found | {
        "norm_type": given.get("norm_type", norm),
        "attention_bias": given.get("qkv_bias", f"{first}attn.qkv.bias" in shapes),
        "use_qk_norm": given.get("qk_normalization", f"{first}attn.q_norm.weight" in shapes),
    }


def _rules() -> list[Rule]:
    layer, to = r"vision_model\.encoder\.layers\.(\d+)", rf"{_TOWER}.encoder.layer.\1"
    queries = tuple(rf"{to}.attention.{name}_proj.\2" for name in "qkv")
    return [
        Rule(r"vision_model\.embeddings\.class_embedding", f"{_TOWER}.embeddings.cls_token"),
        Rule(
            rf"vision_model\.embeddings\.patch_embedding\.{_PARAMETER}",
            rf"{_TOWER}.embeddings.patch_embeddings.projection.\1",
        ),
        Rule(r"vision_model\.embeddings\.position_embedding", f"{_TOWER}.embeddings.position_embeddings"),
        Rule(rf"{layer}\.attn\.qkv\.{_PARAMETER}", queries, _in_three),
        Rule(rf"{layer}\.attn\.proj\.{_PARAMETER}", rf"{to}.attention.projection_layer.\2"),
        Rule(rf"{layer}\.attn\.([qk]_norm)\.weight", rf"{to}.attention.\2.weight"),
        Rule(rf"{layer}\.mlp\.(fc1|fc2)\.{_PARAMETER}", rf"{to}.mlp.\2.\3"),
        Rule(rf"{layer}\.norm1\.{_PARAMETER}", rf"{to}.layernorm_before.\2"),
        Rule(rf"{layer}\.norm2\.{_PARAMETER}", rf"{to}.layernorm_after.\2"),
        Rule(rf"{layer}\.ls(\d)", rf"{to}.lambda_\2"),
        Rule(rf"mlp1\.0\.{_PARAMETER}", rf"{_PROJECTOR}.layer_norm.\1"),
        Rule(rf"mlp1\.1\.{_PARAMETER}", rf"{_PROJECTOR}.linear_1.\1"),
        Rule(rf"mlp1\.3\.{_PARAMETER}", rf"{_PROJECTOR}.linear_2.\1"),
        Rule(r"language_model\.model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq", None),  # computed
        Rule(r"language_model\.model\.(.+)", r"model.model.language_model.\1"),
        Rule(r"language_model\.lm_head\.weight", "model.lm_head.weight"),
    ]


def _in_three(fused: Tensor) -> tuple[Tensor, ...]:
    return fused.chunk(3)
