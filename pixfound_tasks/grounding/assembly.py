"""A model behind a lens, and what grounds its answers by attention, from the names that people give."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import transformers
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import __version__, mini
from pixfound_tasks.attention import Lens
from pixfound_tasks.attention.record import check_query
from pixfound_tasks.grounding.attend import AttentionGrounder
from pixfound_tasks.grounding.judged import LensJudge
from pixfound_tasks.grounding.phrases import make_chunker
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.similarity import make_similarity
from pixfound_tasks.judges.base import Judge, make_judge
from pixfound_tasks.mini.calibration import calibration_scenes


def default_segmenter(pretrained: str) -> str:
    """The embedded model's drawings need no weights to segment."""
    return "region" if pretrained == mini.NAME else segmenters.DEFAULT


def default_phrases(pretrained: str) -> str:
    """What splits a model's answers into phrases where nobody says: the embedded model needs no spaCy."""
    return "rules" if pretrained == mini.NAME else "auto"


def checkpoint(pretrained: str) -> str:
    """What transformers loads under this name: `pixfound/mini` is shipped with the package."""
    return str(mini.weights_folder()) if pretrained == mini.NAME else pretrained


def open_lens(
    pretrained: str,
    device_map: str,
    dtype: str | None = None,
    attn_implementation: str | None = None,
    reducer: str = "mean_centered",
    layers: str = "all",
    query: str = "predict",
) -> Lens:
    """A model of the hub, of a folder or `pixfound/mini`; its heads chosen on drawn scenes for the reducer "heads"."""
    path = checkpoint(pretrained)
    # The embedded model is stored in half precision to be small, not to be run in it.
    dtype = dtype or ("float32" if pretrained == mini.NAME else "auto")
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
    )
    return lens.calibrate(*calibration_scenes()) if reducer == "heads" else lens


def provenance(lens: Lens, pretrained: str, grounding: str, segmenter: str) -> dict[str, Any]:
    """What every response says of the model and of the way its answers are grounded."""
    model = lens.model
    return {
        "model": pretrained, "revision": getattr(model.config, "_commit_hash", None),
        "dtype": str(model.dtype).removeprefix("torch."), "grounding": grounding, "segmenter": segmenter,
        # lmms-eval's own results name the commit of the current folder.
        "versions": {
            "pixfound-tasks": __version__, "transformers": transformers.__version__, "lmms-eval": version("lmms_eval")
        },
    }  # fmt: skip


def named_judge(name: str | None, lens: Lens) -> Judge | None:
    """The judge of this name, who will be shown images; "self" is the model behind the lens."""
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
    **settings: Any,
) -> AttentionGrounder:
    """What grounds the answers of a lens; segmenter and phrases are named as their makers take them.

    `settings` are the grounder's own, among them `select`; its provenance has them too.
    """
    chunker, chunker_name = make_chunker(phrases)
    similarity, similarity_name = make_similarity(chunker_name, settings["select"])
    notes = provenance(lens, pretrained, "attention", segmenter) | {
        "attention": lens.model.config._attn_implementation, "reducer": lens.reducer, "query": lens.query,
        "layers": lens.layers, "heads": lens.heads, "phrases": chunker_name, "similarity": similarity_name,
        **settings,
    }  # fmt: skip
    made = segmenters.make_segmenter(segmenter, device)
    return AttentionGrounder(made, chunker, similarity, provenance=notes, judge=judge, **settings)
