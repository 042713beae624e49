"""Meta's SAM inside a checkpoint, as transformers' `SamModel`: its sizes, and the names of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mode

from transformers import SamConfig

from pixfound_tasks.pixel.checkpoint import Rule, Shape, readers_below

# What the shapes do not tell. All published models have these numbers.
_PATCHES_OF_WINDOW = 14
_DECODER_HEADS = 8
_DOWNSAMPLING = 2  # of the decoder's attention
_DECODER_EPS = 1e-5  # of nn.LayerNorm, in the decoder's transformer; transformers says 1e-6

_LAYER_NORM = r"norm(\d)\.(weight|bias)"
_ATTENTION = r"(self_attn|cross_attn_token_to_image|cross_attn_image_to_token)\.([qkv]_proj|out_proj)\.(weight|bias)"


def sam_config(shapes: Mapping[str, Shape], prefix: str) -> SamConfig:
    """Return the configuration of the SAM whose keys begin with `prefix`, from the shapes of its weights.

    Raises CheckpointError if a weight that tells a size is missing.
    """
    shape, count = readers_below(shapes, prefix)

    _, side, _, width = shape("image_encoder.pos_embed")
    patch = shape("image_encoder.patch_embed.proj.weight")[-1]
    layers = count("image_encoder.blocks.{}.attn.rel_pos_h")
    rel_pos = [shape(f"image_encoder.blocks.{layer}.attn.rel_pos_h") for layer in range(layers)]
    windows = [rows for rows, _ in rel_pos if rows != 2 * side - 1]
    window = (mode(windows) + 1) // 2 if windows else _PATCHES_OF_WINDOW
    channels = shape("image_encoder.neck.0.weight")[0]
    prompt_width = shape("mask_decoder.iou_token.weight")[1]
    block = "mask_decoder.transformer.layers.0"
    head = "mask_decoder.iou_prediction_head.layers"
    return SamConfig(
        vision_config={
            "hidden_size": width,
            "output_channels": channels,
            "num_hidden_layers": layers,
            "num_attention_heads": width // mode(columns for _, columns in rel_pos),
            "image_size": side * patch,
            "patch_size": patch,
            "mlp_dim": shape("image_encoder.blocks.0.mlp.lin1.weight")[0],
            "qkv_bias": prefix + "image_encoder.blocks.0.attn.qkv.bias" in shapes,
            "window_size": window,
            "global_attn_indexes": [layer for layer, (rows, _) in enumerate(rel_pos) if rows == 2 * side - 1],
            "num_pos_feats": shape("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix")[1],
        },
        prompt_encoder_config={
            "hidden_size": prompt_width,
            "image_size": side * patch,
            "patch_size": patch,
            "mask_input_channels": shape("prompt_encoder.mask_downscaling.3.weight")[0],
            "num_point_embeddings": count("prompt_encoder.point_embeddings.{}.weight"),
        },
        mask_decoder_config={
            "hidden_size": prompt_width,
            "mlp_dim": shape(f"{block}.mlp.lin1.weight")[0],
            "num_hidden_layers": count("mask_decoder.transformer.layers.{}.norm1.weight"),
            "num_attention_heads": _DECODER_HEADS,
            "attention_downsample_rate": _DOWNSAMPLING,
            "num_multimask_outputs": shape("mask_decoder.mask_tokens.weight")[0] - 1,
            "iou_head_depth": count(head + ".{}.weight"),
            "iou_head_hidden_dim": shape(f"{head}.0.weight")[0],
            "layer_norm_eps": _DECODER_EPS,
        },
    )


def sam_rules(prefix: str, target: str, iou_head_depth: int = 3) -> list[Rule]:
    """Return the rules from Meta's names, which begin with `prefix`, to those of a `SamModel` named `target`.

    Both are plain text that ends with a dot.
    """
    encoder, prompts, decoder = "vision_encoder.", "prompt_encoder.", "mask_decoder."
    positions = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
    names: list[tuple[str, str | tuple[str, ...]]] = [
        (r"image_encoder\.pos_embed", f"{encoder}pos_embed"),
        (r"image_encoder\.patch_embed\.proj\.(weight|bias)", rf"{encoder}patch_embed.projection.\1"),
        (r"image_encoder\.blocks\.(\d+)\.norm(\d)\.(weight|bias)", rf"{encoder}layers.\1.layer_norm\2.\3"),
        (r"image_encoder\.blocks\.(\d+)\.(attn|mlp)\.(.+)", rf"{encoder}layers.\1.\2.\3"),
        (r"image_encoder\.neck\.0\.weight", f"{encoder}neck.conv1.weight"),
        (r"image_encoder\.neck\.1\.(weight|bias)", rf"{encoder}neck.layer_norm1.\1"),
        (r"image_encoder\.neck\.2\.weight", f"{encoder}neck.conv2.weight"),
        (r"image_encoder\.neck\.3\.(weight|bias)", rf"{encoder}neck.layer_norm2.\1"),
        (r"prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix", positions),
        (r"prompt_encoder\.point_embeddings\.(\d+)\.weight", rf"{prompts}point_embed.\1.weight"),
        (r"prompt_encoder\.(not_a_point_embed|no_mask_embed)\.weight", rf"{prompts}\1.weight"),
        (r"prompt_encoder\.mask_downscaling\.0\.(weight|bias)", rf"{prompts}mask_embed.conv1.\1"),
        (r"prompt_encoder\.mask_downscaling\.1\.(weight|bias)", rf"{prompts}mask_embed.layer_norm1.\1"),
        (r"prompt_encoder\.mask_downscaling\.3\.(weight|bias)", rf"{prompts}mask_embed.conv2.\1"),
        (r"prompt_encoder\.mask_downscaling\.4\.(weight|bias)", rf"{prompts}mask_embed.layer_norm2.\1"),
        (r"prompt_encoder\.mask_downscaling\.6\.(weight|bias)", rf"{prompts}mask_embed.conv3.\1"),
        (r"mask_decoder\.(iou_token|mask_tokens)\.weight", rf"{decoder}\1.weight"),
        (rf"mask_decoder\.transformer\.layers\.(\d+)\.{_ATTENTION}", rf"{decoder}transformer.layers.\1.\2.\3.\4"),
        (
            rf"mask_decoder\.transformer\.layers\.(\d+)\.{_LAYER_NORM}",
            rf"{decoder}transformer.layers.\1.layer_norm\2.\3",
        ),
        (r"mask_decoder\.transformer\.layers\.(\d+)\.mlp\.(.+)", rf"{decoder}transformer.layers.\1.mlp.\2"),
        (
            r"mask_decoder\.transformer\.final_attn_token_to_image\.(.+)",
            rf"{decoder}transformer.final_attn_token_to_image.\1",
        ),
        (r"mask_decoder\.transformer\.norm_final_attn\.(.+)", rf"{decoder}transformer.layer_norm_final_attn.\1"),
        (r"mask_decoder\.output_upscaling\.0\.(weight|bias)", rf"{decoder}upscale_conv1.\1"),
        (r"mask_decoder\.output_upscaling\.1\.(weight|bias)", rf"{decoder}upscale_layer_norm.\1"),
        (r"mask_decoder\.output_upscaling\.3\.(weight|bias)", rf"{decoder}upscale_conv2.\1"),
        *_feed_forward(r"mask_decoder\.(output_hypernetworks_mlps\.\d+)", rf"{decoder}\1", 3),
        *_feed_forward(r"mask_decoder\.(iou_prediction_head)", rf"{decoder}\1", iou_head_depth),
    ]
    begin = prefix.replace(".", r"\.")
    return [
        Rule(begin + pattern, target + name if isinstance(name, str) else tuple(target + each for each in name))
        for pattern, name in names
    ]


def _feed_forward(pattern: str, name: str, layers: int) -> list[tuple[str, str | tuple[str, ...]]]:
    """The layers of one of Meta's MLPs: transformers gives the first and the last names of their own."""
    parts = ["proj_in", *(f"layers.{middle}" for middle in range(layers - 2)), "proj_out"]
    return [(rf"{pattern}\.layers\.{index}\.(weight|bias)", rf"{name}.{part}.\2") for index, part in enumerate(parts)]
