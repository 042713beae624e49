"""Every backend (`--model`) of lmms-eval: how it is prompted and read by the grounding tasks, and how that was tried.

`docs/models.md` holds `backend_table()`; a test compares it with the table and with lmms-eval's own registry.
"""

from __future__ import annotations

from pixfound_tasks.tasks import model_profiles

UNDECLARED = "set `PIXFOUND_COORDINATES`"
_REPLIES = "replies in its format"
_SERVER = "the command, a local server"

# These run whatever checkpoint or remote model they are given.
_ANY_MODEL = (
    "async_hf_model", "async_openai", "batch_gpt4", "from_log", "generation_api", "huggingface", "litellm", "openai",
    "sglang", "srt_api", "vllm", "vllm_generate",
)  # fmt: skip
# No convention is published for these, or it differs between their checkpoints.
_UNPUBLISHED = (
    "aria", "auroracap", "bagel", "bagel_lmms_engine", "bagel_umm", "bagel_unig2u", "baichuan_omni", "cambrians",
    "cambrians_vsc", "cambrians_vsc_streaming", "cambrians_vsr", "claude", "cogvlm2", "dummy", "egogpt", "fuyu",
    "gemma4", "gpt4v", "idefics2", "illume_plus", "instructblip", "internvideo2", "internvideo2_5", "lfm2_5_vl",
    "llama4_scout", "llama_vid", "llama_vision", "llava_onevision", "llava_onevision1_5", "llava_onevision2",
    "llava_onevision_moviechat", "llava_sglang", "llava_vid", "longva", "longvila", "mantis", "minicpm_o",
    "minimonkey", "mistral3_vl", "mmada", "moviechat", "mplug_owl_video", "nanovlm", "neo_ov", "ola", "omnivinci",
    "oryx", "ovis_u1", "penguinvl", "phi3v", "phi4_multimodal", "plm", "qwen2_5_omni", "qwen3_omni", "qwen_vl_api",
    "reka", "ross", "slime", "thyme", "tinyllava", "uni_moe_2_omni", "videoChatGPT", "video_llava", "video_salmonn_2",
    "videochat2", "videochat_flash", "videollama3", "vila", "vita", "vora", "vqtoken", "xcomposer2_4KHD",
    "xcomposer2d5",
)  # fmt: skip
# These answer no question about an image in text.
_NO_ANSWERS = (
    "aero", "aero_realtime_vllm", "audio_flamingo_3", "cosmos_wm", "fastvideo", "gpt4o_audio", "kimi_audio",
    "ltx_video", "magi1_wm", "qwen2_audio", "qwen_image_edit", "wan2_1_t2i", "wan2_1_t2v", "wan2_2", "wan2_2_t2v",
    "whisper", "whisper_tt", "whisper_vllm",
)  # fmt: skip
_TRIED = {
    "async_openai": _SERVER,
    "dummy": "the command",
    "huggingface": "the command, a tiny checkpoint",
    "openai": _SERVER,
    "pixfound": "the command, tiny checkpoints",
    "pixfound_pixel": "the command, tiny checkpoints",
    "pixfound_replay": "the command",
    "sam3": "the command, a tiny checkpoint",
}
# These answer with masks.
_OWN_MASKS = ("pixfound", "pixfound_pixel", "pixfound_replay", "sam3")


def listed_backends() -> set[str]:
    """The backends that the table has a row for."""
    return {*_ANY_MODEL, *_UNPUBLISHED, *_NO_ANSWERS, *model_profiles.by_model()} - {"default"}


def backend_table() -> str:
    """The rows as a Markdown table."""
    lines = ["| backend | kind | convention | thinking handled | tried how |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(_row(name))} |" for name in sorted(listed_backends(), key=str.lower))])


def _row(name: str) -> tuple[str, ...]:
    if name in _NO_ANSWERS:
        return f"`{name}`", "none", "answers no question about an image", "-", "not run"
    profiles = model_profiles.by_model()
    entry = profiles.get(name, profiles["default"])
    convention = f"`{entry['coordinates']}`" if "coordinates" in entry else UNDECLARED
    if name in _OWN_MASKS:
        convention = "masks"
    elif name in _ANY_MODEL:
        convention += " (any model)"
    tried = _TRIED.get(name) or (_REPLIES if "coordinates" in entry else "not run")
    return f"`{name}`", f"`{entry['kind']}`", convention, "no text" if name == "sam3" else "yes", tried
