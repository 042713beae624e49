"""Which architectures the zoo is about, and what they are called outside."""

from __future__ import annotations

MORE = ("phi4_multimodal", "blip-2 with t5")
"""What reads images beside the keys of the mapping: of another mapping, and with another language model."""

NO_IMAGES = {
    "evolla": "reads proteins, no image",
    "pi0": "answers with a robot's actions, no text",
}

WANTED = {
    "Gemma 3n": ("gemma3n",), "Gemma 4": ("gemma4", "gemma4_unified"), "Llama 4": ("llama4",),
    "Qwen3-VL-MoE": ("qwen3_vl_moe",), "Qwen3.5": ("qwen3_5", "qwen3_5_moe"), "InternVL 3.5": ("internvl",),
    "Aya Vision": ("aya_vision",), "Cohere2 Vision": ("cohere2_vision",), "Perception LM": ("perception_lm",),
    "Ovis2": ("ovis2",), "Molmo 2": ("molmo2",), "DeepSeek-VL": ("deepseek_vl", "deepseek_vl_hybrid"),
    "Kimi-VL": ("kimi_vl",), "Kimi K2.5": ("kimi_k25",), "LFM2-VL": ("lfm2_vl",), "FastVLM": ("fast_vlm",),
    "Idefics2": ("idefics2",), "Janus": ("janus",), "VipLLaVA": ("vipllava",), "GLM-4.5V": ("glm4v_moe",),
    "GLM-4.6V": ("glm46v",), "Phi-4 multimodal": ("phi4_multimodal",), "BLIP-2": ("blip-2",),
    "InstructBLIP": ("instructblip",), "Florence-2": ("florence2",), "Kosmos-2": ("kosmos-2",),
}  # fmt: skip
"""Well-known models and the architectures in which they are published."""


def architectures() -> list[str]:
    """All keys of the installed mapping of image-text-to-text models, and MORE."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as MAPPING

    return [*MAPPING, *(name for name in MORE if name not in MAPPING)]
