"""Builds the model and the grounder of `pixfound explain` from the command's options."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import AutoConfig

from pixfound_tasks.attention import REDUCERS, Lens
from pixfound_tasks.attention.families.registry import check_family
from pixfound_tasks.attention.geometry_source import check_mode
from pixfound_tasks.attention.record import QUERIES
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding import pipeline
from pixfound_tasks.grounding.attention_grounder import AttentionGrounder
from pixfound_tasks.grounding.mask_judge import LensJudge
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.judges.base import FORMS, Judge, make_judge

_DTYPES = ("auto", "bfloat16", "float16", "float32")


class Instruments(NamedTuple):
    """The model, the grounder and the judge of `explain`.

    `judge` is asked in addition to the grounder. It is None if there is no judge or the grounder selects by it.
    """

    lens: Lens
    grounder: AttentionGrounder
    judge: Judge | None


def open_instruments(
    model: str,
    select: str,
    judge: str | None,
    segmenter: str | None,
    reducer: str,
    query: str,
    layers: str,
    phrases: str | None,
    dtype: str | None,
    device: str | None,
    geometry: str = "auto",
) -> Instruments:
    """Builds the instruments. Raises `ValueError` for an unknown name, if possible before any weights are loaded."""
    is_judges_choice = select == "judge"
    check_select(select, judge if is_judges_choice else None)
    check_choice("the reducer", reducer, REDUCERS)
    check_choice("the query", query, QUERIES)
    check_choice("the dtype", dtype or "auto", _DTYPES)
    check_mode(geometry)
    segmenter = segmenter or pipeline.default_segmenter(model)
    segmenters.check_segmenter(segmenter)
    device = choose_device(device)
    # Errors in the judge's name must come before a large model is loaded.
    outsider = _outsider(judge)
    _check_model(model, geometry)
    try:
        lens = pipeline.open_lens(model, device, dtype, reducer=reducer, layers=layers, query=query, geometry=geometry)
    except OSError as error:
        raise _unreadable(model, error) from error
    asked = LensJudge(lens) if judge == "self" else outsider
    grounder = pipeline.attention_grounder(
        lens, model, device, segmenter, phrases or pipeline.default_phrases(model),
        asked if is_judges_choice else None, select=select, control=False,
    )  # fmt: skip
    return Instruments(lens, grounder, None if is_judges_choice else asked)


def choose_device(name: str | None) -> str:
    """Return a device's name, CUDA by default if available. Raises ValueError if this computer has no such device."""
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a device of this machine, but got {name!r}: {reason}; try --device cpu") from error
    return name


def _check_model(name: str, geometry: str) -> None:
    try:
        config = AutoConfig.from_pretrained(pipeline.checkpoint(name), trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(name, error) from error
    if geometry == "registered":
        check_family(config.model_type)


def _unreadable(name: str, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:300]
    return ValueError(
        f"expected a model on the hub or a folder that holds one, but got {name!r}, which cannot be read ({reason}); "
        "check the name, or omit --model to use the embedded model"
    )


def _outsider(name: str | None) -> Judge | None:
    """Returns the named judge, or None if there is none or the model itself is the judge ("self")."""
    if name in (None, "self"):
        return None
    if ":" not in name:
        raise ValueError(
            f"expected --judge as self, {' or '.join(FORMS[::-1])}, but got {name!r}; use one of these forms"
        )
    return make_judge(name, sees=True)
