"""Builds a lens and its attention grounder from the names that users give."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import transformers

from pixfound_tasks import __version__, mini
from pixfound_tasks.attention import Lens
from pixfound_tasks.attention.record import check_query
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.loading import load_lens
from pixfound_tasks.grounding.mask_judge import LensJudge
from pixfound_tasks.grounding.phrases import make_chunker
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.similarity import make_similarity
from pixfound_tasks.hosts.model_config import hub_revision, kernel_name
from pixfound_tasks.judges.base import Judge, make_judge
from pixfound_tasks.mini.calibration import calibration_scenes
from pixfound_tasks.prompts.judge import MASK_SYSTEM, STUDY, TEMPERATURE
from pixfound_tasks.response.maps import check_token_maps
from pixfound_tasks.settings import read_setting

# Rules that the provenance leaves out, as that of earlier versions does.
_USUAL = {"mask": "highest", "point": "center", "no_candidate": "absent", "judging": "default"}


def default_segmenter(pretrained: str) -> str:
    """Return the default segmenter of a model. The embedded models' drawings can be segmented without weights."""
    return "region" if pretrained in mini.NAMES else segmenters.DEFAULT


def default_phrases(pretrained: str) -> str:
    """Return the default chunker of a model's answers. Those of the embedded models need no spaCy."""
    return "rules" if pretrained in mini.NAMES else "auto"


def checkpoint(pretrained: str) -> str:
    """Return what transformers loads for this name. The embedded models are folders in this package.

    Raises ValueError if the name can only be a folder's, and there is no such folder.
    """
    if pretrained.startswith(("/", "./", "../", "~")) and not Path(pretrained).exists():
        raise ValueError(
            f"expected pretrained to be a model on the hub or a folder that holds one, but there is no folder "
            f"{pretrained!r}; check the path"
        )
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
    """Return the lens of a model from the hub, a folder or this package. A pixel-level one is loaded as such.

    For the reducer "heads", the attention heads are chosen on drawn scenes. `options` are other arguments of `Lens`.
    """
    path = checkpoint(pretrained)
    # The embedded models are stored in half precision only to be small; they run in float32.
    dtype = dtype or ("float32" if pretrained in mini.NAMES else "auto")
    options |= {"reducer": reducer, "layers": layers, "query": check_query(query)}
    lens = load_lens(path, device_map, dtype, attn_implementation, **options)
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


def named_judge(name: str | None, lens: Lens, judging: str = "default") -> Judge | None:
    """Return the judge of masks with this name, or None if it is empty. "self" is the model behind the lens.

    The judge must accept images, see `make_judge`. With judging "study" it has the study's system prompt and
    temperature.
    """
    if name == "self":
        return LensJudge(lens)
    if judging == STUDY and name:
        return make_judge(name, sees=True, system=MASK_SYSTEM, temperature=TEMPERATURE)
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
        **({"geometry": lens.geometry_used} if lens.geometry_used != "auto" else {}),
        **{name: value for name, value in settings.items() if _USUAL.get(name) != value}, **(notes or {}),
    }  # fmt: skip
    made = segmenters.make_segmenter(segmenter, device, multimask=settings.get("mask") != "single")
    kept = check_token_maps(read_setting("PIXFOUND_TOKENMAPS"))
    return AttentionGrounder(
        made, chunker, similarity, provenance=made_by, judge=judge, token_maps=kept, **settings
    )  # fmt: skip
