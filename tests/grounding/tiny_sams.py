"""Tiny random checkpoints of every SAM, of the real classes with their real processors."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as tf
from safetensors.torch import save_file

SIDE = 64  # pixels of the square that the models take
GAIN = 2.0
_HIDDEN = 32
_DECODER = {
    "hidden_size": _HIDDEN, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "iou_head_hidden_dim": 32
}  # fmt: skip
_FEATURES = [[16, 16], [8, 8], [4, 4]]


def save(kind: str, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of a kind, one of `KINDS`."""
    torch.manual_seed(seed)
    model, processor = KINDS[kind]()
    with torch.no_grad():
        # Wider than the models' own start, which has position embeddings of zero and masks that are all alike.
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "positional_embedding" not in name:
                weight.copy_(torch.randn_like(weight) * GAIN / weight[0].numel() ** 0.5)
    model.config.save_pretrained(folder)
    # As the hub has them: `save_pretrained` would write the tracker of a SAM 3 under names it cannot read again.
    save_file(
        {name: weight.contiguous().clone() for name, weight in model.state_dict().items()}, folder / "model.safetensors"
    )
    processor.save_pretrained(folder)
    return folder


def _sam(prefix: str, decoder: dict) -> tuple[torch.nn.Module, object]:
    def part(name: str):
        return getattr(tf, prefix + name)

    config = part("Config")(
        vision_config={
            "hidden_size": _HIDDEN, "output_channels": _HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": SIDE, "patch_size": 16, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 16,
            "mlp_dim": 32, "initializer_range": 0.02,
        },
        prompt_encoder_config={
            "hidden_size": _HIDDEN, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4,
        },
        mask_decoder_config=_DECODER | decoder,
    )  # fmt: skip
    images = tf.SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, mask_size={"longest_edge": 16}
    )
    return part("Model")(config), part("Processor")(images)


def _square(processor, images):
    return processor(images(size={"height": SIDE, "width": SIDE}))


def _sam2_parts() -> dict[str, dict]:
    backbone = tf.Sam2HieraDetConfig(
        hidden_size=8, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1], window_size_per_stage=[4, 2, 2, 2], global_attention_blocks=[3],
    )  # fmt: skip
    vision = tf.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], backbone_feature_sizes=_FEATURES,
        fpn_hidden_size=_HIDDEN,
    )  # fmt: skip
    return {
        "vision_config": vision.to_dict(),
        "prompt_encoder_config": {"hidden_size": _HIDDEN, "image_size": SIDE, "patch_size": 16},
        "mask_decoder_config": _DECODER,
    }


def _sam2():
    return tf.Sam2Model(tf.Sam2Config(**_sam2_parts())), _square(tf.Sam2Processor, tf.Sam2ImageProcessor)


def _sam2_video():
    config = tf.Sam2VideoConfig(
        **_sam2_parts(), image_size=SIDE, memory_attention_hidden_size=_HIDDEN, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_encoder_hidden_size=_HIDDEN,
        memory_encoder_output_channels=8, mask_downsampler_embed_dim=_HIDDEN, memory_fuser_embed_dim=_HIDDEN,
        memory_fuser_intermediate_dim=32, memory_fuser_num_layers=1,
        memory_attention_rope_feat_sizes=[4, 4],
    )  # fmt: skip
    return tf.Sam2VideoModel(config), _square(tf.Sam2Processor, tf.Sam2ImageProcessor)


def _sam3_parts() -> dict[str, dict]:
    backbone = tf.Sam3ViTConfig(
        hidden_size=_HIDDEN, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56,
        patch_size=14, window_size=2, global_attn_indexes=[1], pretrain_image_size=28,
    )  # fmt: skip
    vision = tf.Sam3VisionConfig(backbone_config=backbone, fpn_hidden_size=_HIDDEN, backbone_feature_sizes=_FEATURES)
    return {
        "vision_config": vision.to_dict(),
        "prompt_encoder_config": {"hidden_size": _HIDDEN, "image_size": 56, "patch_size": 14},
        "mask_decoder_config": _DECODER,
    }


def _sam3_processor():
    return tf.Sam3TrackerProcessor(tf.Sam3ImageProcessor(size={"height": 56, "width": 56}))


def _sam3_tracker():
    return tf.Sam3TrackerModel(tf.Sam3TrackerConfig(**_sam3_parts())), _sam3_processor()


def sam3_detector(vocab_size: int = 50) -> dict[str, dict]:
    """The configuration of a `Sam3Model`."""
    layers = {"hidden_size": _HIDDEN, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return {
        "vision_config": _sam3_parts()["vision_config"],
        "text_config": {
            "vocab_size": vocab_size, "hidden_size": _HIDDEN, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "projection_dim": _HIDDEN, "max_position_embeddings": 32,
        },
        "geometry_encoder_config": layers,
        "detr_encoder_config": layers,
        "detr_decoder_config": layers | {"num_queries": 4},
        "mask_decoder_config": {"hidden_size": _HIDDEN, "num_attention_heads": 2},
    }  # fmt: skip


def _sam3_video():
    parts = _sam3_parts()
    tracker = parts | {
        "image_size": 56, "memory_attention_hidden_size": _HIDDEN, "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32, "memory_encoder_hidden_size": _HIDDEN,
        "memory_encoder_output_channels": 8, "mask_downsampler_embed_dim": _HIDDEN, "memory_fuser_embed_dim": _HIDDEN,
        "memory_fuser_intermediate_dim": 32, "memory_fuser_num_layers": 1,
    }  # fmt: skip
    config = tf.Sam3VideoConfig(detector_config=sam3_detector(), tracker_config=tracker)
    return tf.Sam3VideoModel(config), _sam3_processor()


KINDS = {
    "sam": lambda: _sam("Sam", {}),
    "sam_hq": lambda: _sam("SamHQ", {"vit_dim": _HIDDEN}),
    "sam2": _sam2,
    "sam2_video": _sam2_video,
    "sam3_tracker": _sam3_tracker,
    "sam3_video": _sam3_video,
}
