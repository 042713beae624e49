"""Meta's SAM 2 inside a checkpoint, as transformers' `Sam2Model`: its sizes, and the names of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import Sam2Config, Sam2Model

from pixfound_tasks.pixel.checkpoint import Checkpoint, CheckpointError, Rule, readers_below

SIZES_FILE = "sam2_sizes.json"
SIDE = 1024  # of the square that SAM 2 sees
# What the shapes do not tell of SAM 2 with Hiera-L, which all published checkpoints have.
_HIERA_LARGE = {
    "embed_dim": 144,
    "num_heads": 2,
    "stages": [2, 6, 36, 4],
    "global_att_blocks": [23, 33, 43],
    "window_spec": [8, 4, 16, 8],
}
_TOP_DOWN_LEVELS = [2, 3]
_DECODER_HEADS = 8

_NORM = r"norm(\d)\.(weight|bias)"
_PARAMETER = r"(weight|bias)"
_PROJECTION = r"(self_attn|cross_attn_token_to_image|cross_attn_image_to_token)"


def sam2_model(checkpoint: Checkpoint, prefix: str) -> Any:
    """Return a `Sam2Model` on the meta device, for the weights whose keys begin with `prefix`.

    Its point embeddings are one module each, as in the checkpoint, until `join_points` is called.
    """
    with torch.device("meta"):
        model: Any = Sam2Model(sam2_config(checkpoint, prefix))
        count, width = model.prompt_encoder.point_embed.weight.shape
        model.prompt_encoder.point_embed = nn.ModuleList(nn.Embedding(1, width) for _ in range(count))
    return model.eval()


def join_points(model: Any) -> None:
    """Make the point embeddings of a loaded model the one module that transformers expects."""
    rows = torch.cat([each.weight.data for each in model.prompt_encoder.point_embed])
    model.prompt_encoder.point_embed = nn.Embedding(*rows.shape)
    model.prompt_encoder.point_embed.weight = nn.Parameter(rows, requires_grad=False)


def sam2_config(checkpoint: Checkpoint, prefix: str) -> Sam2Config:
    """Return the configuration of the SAM 2 whose keys begin with `prefix`, from the shapes of its weights.

    What shapes do not tell, such as the number of heads, is that of Hiera-L. A checkpoint with another SAM 2 has a file
    `sam2_sizes.json` in its folder or beside it, whose `trunk` has `num_heads`, `global_att_blocks` and `window_spec`
    as in the constructor of Meta's Hiera.

    Raises:
        CheckpointError: if a weight that tells a size is missing, or the image encoder is not Hiera-L and there is no
            such file.
    """
    shape, count = readers_below(checkpoint.shapes, prefix)

    trunk, decoder, head = "image_encoder.trunk", "sam_mask_decoder", "sam_mask_decoder.iou_prediction_head.layers"
    widths = [shape(f"{trunk}.blocks.{n}.norm2.weight")[0] for n in range(count(trunk + ".blocks.{}.norm2.weight"))]
    stages = [widths.count(width) for width in dict.fromkeys(widths)]
    own = _trunk_sizes(checkpoint, widths[0], stages)
    heads = [own["num_heads"] * width // widths[0] for width in dict.fromkeys(widths)]
    neck = [shape(f"image_encoder.neck.convs.{n}.conv.weight") for n in range(len(stages))]
    prompt_width = shape(f"{decoder}.iou_token.weight")[1]
    narrow = shape(f"{decoder}.transformer.layers.0.cross_attn_token_to_image.q_proj.weight")[0]
    kernel = shape(f"{trunk}.patch_embed.proj.weight")[-1]
    return Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": widths[0],
                "num_attention_heads": own["num_heads"],
                "image_size": [SIDE, SIDE],
                "patch_kernel_size": [kernel, kernel],
                "patch_padding": [kernel // 2, kernel // 2],
                "window_positional_embedding_background_size": list(shape(f"{trunk}.pos_embed")[2:]),
                "blocks_per_stage": stages,
                "embed_dim_per_stage": list(dict.fromkeys(widths)),
                "num_attention_heads_per_stage": heads,
                "window_size_per_stage": own["window_spec"],
                "global_attention_blocks": own["global_att_blocks"],
                "num_query_pool_stages": own.get("q_pool", len(stages) - 1),
                "mlp_ratio": shape(f"{trunk}.blocks.0.mlp.layers.0.weight")[0] / widths[0],
            },
            "backbone_channel_list": [each[1] for each in neck],
            "backbone_feature_sizes": [[SIDE // stride, SIDE // stride] for stride in (4, 8, 16)],
            "fpn_hidden_size": neck[0][0],
            "fpn_top_down_levels": _TOP_DOWN_LEVELS,
        },
        prompt_encoder_config={
            "hidden_size": prompt_width,
            "image_size": SIDE,
            "mask_input_channels": shape("sam_prompt_encoder.mask_downscaling.3.weight")[0],
            "num_point_embeddings": count("sam_prompt_encoder.point_embeddings.{}.weight"),
        },
        mask_decoder_config={
            "hidden_size": prompt_width,
            "mlp_dim": shape(f"{decoder}.transformer.layers.0.mlp.layers.0.weight")[0],
            "num_hidden_layers": count(decoder + ".transformer.layers.{}.norm1.weight"),
            "num_attention_heads": _DECODER_HEADS,
            "attention_downsample_rate": prompt_width // narrow,
            "num_multimask_outputs": shape(f"{decoder}.mask_tokens.weight")[0] - 1,
            "iou_head_depth": count(head + ".{}.weight"),
            "iou_head_hidden_dim": shape(f"{head}.0.weight")[0],
        },
    )


def _trunk_sizes(checkpoint: Checkpoint, width: int, stages: list[int]) -> Mapping[str, Any]:
    """Return what the shapes do not tell of the image encoder, see `sam2_config`."""
    for folder in (checkpoint.folder, checkpoint.folder.parent):
        if (folder / SIZES_FILE).is_file():
            return Checkpoint(folder).read(SIZES_FILE)["trunk"]
    if (width, stages) != (_HIERA_LARGE["embed_dim"], _HIERA_LARGE["stages"]):
        raise CheckpointError(
            f"expected SAM 2 with Hiera-L, of width 144 and stages {_HIERA_LARGE['stages']}, but {checkpoint.folder} "
            f"has width {width} and stages {stages}: give its sizes in a file {SIZES_FILE} in this folder"
        )
    return _HIERA_LARGE


def sam2_rules(prefix: str, target: str, iou_head_depth: int = 3) -> list[Rule]:
    """Return the rules from Meta's names, which begin with `prefix`, to those of `sam2_model` named `target`.

    Both are plain text that ends with a dot. What only videos need is left out.
    """
    begin = prefix.replace(".", r"\.")
    positions = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
    names: list[tuple[str, str | tuple[str, ...]]] = [
        (r"no_mem_embed", "no_memory_embedding"),
        *_encoder_names("vision_encoder."),
        (r"sam_prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix", positions),
        *_prompt_names("prompt_encoder."),
        *_decoder_names("mask_decoder.", iou_head_depth),
    ]
    of_video = (
        r"(memory_attention|memory_encoder|obj_ptr_proj|obj_ptr_tpos_proj|mask_downsample)\..+"
        r"|maskmem_tpos_enc|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial"
    )
    return [
        Rule(f"{begin}(?:{of_video})", None),
        *(
            Rule(begin + pattern, target + name if isinstance(name, str) else tuple(target + each for each in name))
            for pattern, name in names
        ),
    ]


def _encoder_names(to: str) -> list[tuple[str, str]]:
    trunk, backbone = r"image_encoder\.trunk\.", f"{to}backbone."
    return [
        (rf"{trunk}(pos_embed|pos_embed_window)", rf"{backbone}\1"),
        (rf"{trunk}patch_embed\.proj\.{_PARAMETER}", rf"{backbone}patch_embed.projection.\1"),
        (rf"{trunk}blocks\.(\d+)\.{_NORM}", rf"{backbone}blocks.\1.layer_norm\2.\3"),
        (rf"{trunk}blocks\.(\d+)\.(attn\.qkv|attn\.proj|proj)\.{_PARAMETER}", rf"{backbone}blocks.\1.\2.\3"),
        *_feed_forward(rf"{trunk}blocks\.(\d+)\.mlp", rf"{backbone}blocks.\1.mlp", 2),
        (rf"image_encoder\.neck\.convs\.(\d+)\.conv\.{_PARAMETER}", rf"{to}neck.convs.\1.\2"),
    ]


def _prompt_names(to: str) -> list[tuple[str, str]]:
    masks = r"sam_prompt_encoder\.mask_downscaling"
    parts = {0: "conv1", 1: "layer_norm1", 3: "conv2", 4: "layer_norm2", 6: "conv3"}
    return [
        (r"sam_prompt_encoder\.point_embeddings\.(\d+)\.weight", rf"{to}point_embed.\1.weight"),
        (r"sam_prompt_encoder\.(not_a_point_embed|no_mask_embed)\.weight", rf"{to}\1.weight"),
        *((rf"{masks}\.{index}\.{_PARAMETER}", rf"{to}mask_embed.{part}.\1") for index, part in parts.items()),
    ]


def _decoder_names(to: str, iou_head_depth: int) -> list[tuple[str, str]]:
    begin, layer = r"sam_mask_decoder\.", r"sam_mask_decoder\.transformer\.layers\.(\d+)"
    upscaling = {0: "upscale_conv1", 1: "upscale_layer_norm", 3: "upscale_conv2"}
    attention = rf"{begin}transformer\.final_attn_token_to_image"
    return [
        (rf"{begin}(iou_token|mask_tokens|obj_score_token)\.weight", rf"{to}\1.weight"),
        (rf"{begin}(conv_s0|conv_s1)\.{_PARAMETER}", rf"{to}\1.\2"),
        (rf"{layer}\.{_PROJECTION}\.([qkv]_proj)\.{_PARAMETER}", rf"{to}transformer.layers.\1.\2.\3.\4"),
        (rf"{layer}\.{_PROJECTION}\.out_proj\.{_PARAMETER}", rf"{to}transformer.layers.\1.\2.o_proj.\3"),
        (rf"{layer}\.{_NORM}", rf"{to}transformer.layers.\1.layer_norm\2.\3"),
        *_feed_forward(rf"{layer}\.mlp", rf"{to}transformer.layers.\1.mlp", 2),
        (rf"{attention}\.([qkv]_proj)\.{_PARAMETER}", rf"{to}transformer.final_attn_token_to_image.\1.\2"),
        (rf"{attention}\.out_proj\.{_PARAMETER}", rf"{to}transformer.final_attn_token_to_image.o_proj.\1"),
        (rf"{begin}transformer\.norm_final_attn\.{_PARAMETER}", rf"{to}transformer.layer_norm_final_attn.\1"),
        *((rf"{begin}output_upscaling\.{at}\.{_PARAMETER}", rf"{to}{part}.\1") for at, part in upscaling.items()),
        *_feed_forward(rf"{begin}(output_hypernetworks_mlps\.\d+)", rf"{to}\1", 3),
        *_feed_forward(rf"{begin}(iou_prediction_head)", rf"{to}\1", iou_head_depth),
        *_feed_forward(rf"{begin}(pred_obj_score_head)", rf"{to}\1", 3),
    ]


def _feed_forward(pattern: str, name: str, layers: int) -> list[tuple[str, str]]:
    """The layers of one of Meta's MLPs, with one group in its name: transformers names the first and the last."""
    parts = ["proj_in", *(f"layers.{middle}" for middle in range(layers - 2)), "proj_out"]
    return [(rf"{pattern}\.layers\.{index}\.{_PARAMETER}", rf"{name}.{part}.\2") for index, part in enumerate(parts)]
