"""The environment variables that this package reads, in one table."""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """An environment variable: what it sets, and what holds if it is unset. A secret's value is never printed."""

    name: str
    meaning: str
    default: str
    is_secret: bool = False


OWN = (
    Setting("PIXFOUND_ANSWERS", "which answers of PixMMVP count: original or corrected", "original"),
    Setting("PIXFOUND_CACHE", "the folder for joined benchmarks and judges' replies", "~/.cache/pixfound"),
    Setting("PIXFOUND_CONCEPTS", "the classifier of what a phrase is about", "words"),
    Setting("PIXFOUND_COORDINATES", "the convention of the coordinates in an answer", "by --model, or by the syntax"),
    Setting("PIXFOUND_DATA", "the folder that holds PixMMVP/ and PixCVBench/", "download from the hub"),
    Setting("PIXFOUND_JUDGE", "the judge of open answers", "rule"),
    Setting("PIXFOUND_KIND", "the kind of referring prompt", "by --model"),
    Setting("PIXFOUND_PARAPHRASER", "the judge that writes missing paraphrases", "none"),
    Setting("PIXFOUND_PARAPHRASES", "the file of paraphrased questions", "none"),
    Setting("PIXFOUND_REVISION", "the revision of the annotations on the hub", "main"),
    Setting(
        "PIXFOUND_SEGMENTER", "the segmenter that turns boxes and points into masks", "SAM ViT-H, region on PixMini"
    ),
)

# Variables of other programs that change what a run does.
FOREIGN = (
    Setting("CUDA_VISIBLE_DEVICES", "the GPUs that a run may use", "all"),
    Setting("HF_HOME", "the folder of the hub's caches", "~/.cache/huggingface"),
    Setting("HF_HUB_OFFLINE", "whether the hub must not be asked", "0"),
    Setting("HF_TOKEN", "the token for gated models and data sets", "the one of hf auth login", is_secret=True),
    Setting("LMMS_EVAL_PLUGINS", "plugins that lmms-eval loads beside the installed ones", "none"),
    Setting("OPENAI_API_KEY", "the key of the judge openai:MODEL", "none", is_secret=True),
    Setting("OPENAI_API_URL", "the chat-completions server of the judge openai:MODEL", "OpenAI's"),
    Setting("XDG_CACHE_HOME", "the folder of all caches", "~/.cache"),
)
