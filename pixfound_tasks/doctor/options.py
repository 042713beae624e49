"""Parts that some evaluations need and others do not; what is absent is a note."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec

from pixfound_tasks.doctor.findings import NOTE, OK, Finding
from pixfound_tasks.settings import read_setting

_SECTION = "optional"
_SPACY_PACKAGES = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")


def examine_options() -> Iterator[Finding]:
    """Phrases, judges, other models of lmms-eval, the browser of the tests, and segmenters."""
    yield _examine_spacy()
    yield _examine_judge()
    yield _examine_video_reader()
    yield _examine_browser()
    yield from _examine_segmenters()


def _examine_spacy() -> Finding:
    packages = [name for name in _SPACY_PACKAGES if find_spec(name)] if find_spec("spacy") else []
    if packages:
        return Finding(_SECTION, "spaCy", OK, f"phrases are found with {packages[0]}, the default of phrases=auto")
    absent = "has no English package" if find_spec("spacy") else "is not installed"
    remedy = "pip install 'spacy>=3.7' && python -m spacy download en_core_web_lg"
    return Finding(_SECTION, "spaCy", NOTE, f"spaCy {absent}: phrases are found by rules", remedy)


def _examine_segmenters() -> Iterator[Finding]:
    """Whether the default checkpoint of each family of SAM is in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    from pixfound_tasks.grounding.segmenters.base import CHECKPOINTS

    yield Finding(_SECTION, "segmenter region", OK, "built in")
    for family, checkpoint in CHECKPOINTS.items():
        is_there = isinstance(try_to_load_from_cache(checkpoint, "config.json"), str)
        state = "is in the hub's cache" if is_there else "is downloaded when it is first used"
        yield Finding(_SECTION, f"segmenter {family}", OK if is_there else NOTE, f"{checkpoint} {state}")


def _examine_judge() -> Finding:
    if read_setting("OPENAI_API_KEY"):
        return Finding(_SECTION, "judge openai:MODEL", OK, "OPENAI_API_KEY is set")
    return Finding(_SECTION, "judge openai:MODEL", NOTE, "OPENAI_API_KEY is not set: rule and local:CHECKPOINT work")


def _examine_video_reader() -> Finding:
    """Many wrappers of lmms-eval import decord even if they are only shown images."""
    name = "other models of lmms-eval"
    if find_spec("decord"):
        return Finding(_SECTION, name, OK, "decord is installed")
    detail = "decord is not installed: qwen2_5_vl, qwen3_vl, llava_hf and others of lmms-eval do not load"
    return Finding(_SECTION, name, NOTE, detail, "pip install 'lmms-eval[video-legacy]'")


def _examine_browser() -> Finding:
    if shutil.which("chromedriver"):
        return Finding(_SECTION, "browser", OK, "chromedriver is installed: the tests look at pages")
    return Finding(_SECTION, "browser", NOTE, "no chromedriver: the tests that look at pages are skipped")
