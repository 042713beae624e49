"""Builds a lens and its attention grounder from the names that users give."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import transformers
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import __version__, mini
from pixfound_tasks.attention import Lens
from pixfound_tasks.attention.record import check_query
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.mask_judge import LensJudge
from pixfound_tasks.grounding.phrases import make_chunker
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.similarity import make_similarity
from pixfound_tasks.hosts.model_config import hub_revision, kernel_name
from pixfound_tasks.judges.base import Judge, make_judge
from pixfound_tasks.mini.calibration import calibration_scenes

# Rules that the provenance leaves out, as that of earlier versions does.
_USUAL = {"mask": "highest", "point": "center", "no_candidate": "absent"}


def default_segmenter(pretrained: str) -> str:
    """Return the default segmenter of a model. The embedded models' drawings can be segmented without weights."""
    return "region" if pretrained in mini.NAMES else segmenters.DEFAULT


def default_phrases(pretrained: str) -> str:
    """Return the default chunker of a model's answers. Those of the embedded models need no spaCy."""
    return "rules" if pretrained in mini.NAMES else "auto"


def checkpoint(pretrained: str) -> str:
    """Return what transformers loads for this name. The embedded models are folders in this package."""
    return str(mini.weights_folder(pretrained)) if pretrained in mini.NAMES else pretrained


def open_lens(
    pretrained: str,
    device_map: str,
    dtype: str | None = None,
    attn_implementation: str | None = None,
    reducer: str = "mean_centered",
    layers: str = "all",
    query: str = "predict",
    **options: Any,
) -> Lens:
    """Return the lens of a model from the hub, a folder or `pixfound/mini`.

    For the reducer "heads", the attention heads are chosen on drawn scenes. `options` are other arguments of `Lens`.
    """
    path = checkpoint(pretrained)
    # The embedded models are stored in half precision only to be small; they run in float32.
    dtype = dtype or ("float32" if pretrained in mini.NAMES else "auto")
    model = AutoModelForImageTextToText.from_pretrained(
        path,
        device_map=device_map,
        dtype=dtype,
        attn_implementation=attn_implementation,
        trust_remote_code=False,
    )
    lens = Lens(
        model.eval(),
        AutoProcessor.from_pretrained(path, trust_remote_code=False),
        reducer,
        layers,
        query=check_query(query),
        **options,
    )
    return lens.calibrate(*calibration_scenes()) if reducer == "heads" else lens


def provenance(lens: Lens, pretrained: str, grounding: str, segmenter: str) -> dict[str, Any]:
    """Return the provenance of every response: the model, and how its answers are grounded."""
    model = lens.model
    return {
        "model": pretrained, "revision": hub_revision(model.config),
        "dtype": str(model.dtype).removeprefix("torch."), "grounding": grounding, "segmenter": segmenter,
        **lens.chat_kwargs,
        # Recorded here, because lmms-eval's own results give the commit of the current folder instead.
        "versions": {
            "pixfound-tasks": __version__, "transformers": transformers.__version__, "lmms-eval": version("lmms_eval")
        },
    }  # fmt: skip


def named_judge(name: str | None, lens: Lens) -> Judge | None:
    """Return the judge with this name, or None if it is empty. "self" is the model behind the lens.

    The judge must accept images, see `make_judge`.
    """
    if name == "self":
        return LensJudge(lens)
    return make_judge(name, sees=True) if name else None


def attention_grounder(
    lens: Lens,
    pretrained: str,
    device: str,
    segmenter: str,
    phrases: str,
    judge: Judge | None,
    notes: dict[str, Any] | None = None,
    **settings: Any,
) -> AttentionGrounder:
    """Return the grounder of a lens's answers. For `segmenter` and `phrases` see `make_segmenter` and `make_chunker`.

    `settings` are arguments of `AttentionGrounder`, among them `select`. The provenance records them, and `notes`.
    """
    chunker, chunker_name = make_chunker(phrases)
    similarity, similarity_name = make_similarity(chunker_name, settings["select"])
    made_by = provenance(lens, pretrained, "attention", segmenter) | {
        "attention": kernel_name(lens.model.config), "reducer": lens.reducer, "query": lens.query,
        "layers": lens.layers, "heads": lens.heads, "phrases": chunker_name, "similarity": similarity_name,
        **{name: value for name, value in settings.items() if _USUAL.get(name) != value}, **(notes or {}),
    }  # fmt: skip
    made = segmenters.make_segmenter(segmenter, device, multimask=settings.get("mask") != "single")
    return AttentionGrounder(made, chunker, similarity, provenance=made_by, judge=judge, **settings)
