"""The model and all that grounds its answers, from the command's options."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import AutoConfig

from pixfound_tasks.attention import REDUCERS, Lens
from pixfound_tasks.attention.families.registry import check_family
from pixfound_tasks.attention.record import QUERIES
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding import assembly
from pixfound_tasks.grounding.attend import AttentionGrounder
from pixfound_tasks.grounding.judged import LensJudge
from pixfound_tasks.grounding.segmenters import base as segmenters
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.judges.base import FORMS, Judge, make_judge

_DTYPES = ("auto", "bfloat16", "float16", "float32")


class Instruments(NamedTuple):
    """What `explain` looks through. `judge` is asked beside the grounder, None where there is none or it is part of
    the grounder."""

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
) -> Instruments:
    """The instruments of these names; ValueError for one that there is not, if possible before weights are loaded."""
    is_judges_choice = select == "judge"
    check_select(select, judge if is_judges_choice else None)
    check_choice("the reducer", reducer, REDUCERS)
    check_choice("the query", query, QUERIES)
    check_choice("the dtype", dtype or "auto", _DTYPES)
    segmenter = segmenter or assembly.default_segmenter(model)
    segmenters.check_segmenter(segmenter)
    device = _device(device)
    # What may be wrong with it is told before a large model is loaded.
    outsider = _outsider(judge)
    _check_model(model)
    try:
        lens = assembly.open_lens(model, device, dtype, reducer=reducer, layers=layers, query=query)
    except OSError as error:
        raise _unreadable(model, error) from error
    asked = LensJudge(lens) if judge == "self" else outsider
    grounder = assembly.attention_grounder(
        lens, model, device, segmenter, phrases or assembly.default_phrases(model),
        asked if is_judges_choice else None, select=select, control=False,
    )  # fmt: skip
    return Instruments(lens, grounder, None if is_judges_choice else asked)


def _device(name: str | None) -> str:
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a device of this machine, but got {name!r}: {reason}; try --device cpu") from error
    return name


def _check_model(name: str) -> None:
    try:
        config = AutoConfig.from_pretrained(assembly.checkpoint(name), trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(name, error) from error
    check_family(config.model_type)


def _unreadable(name: str, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:300]
    return ValueError(
        f"expected a model of the hub or a folder that holds one, but got {name!r}, which cannot be read ({reason}); "
        "check the name, or leave out --model for the embedded one"
    )


def _outsider(name: str | None) -> Judge | None:
    """A judge that is not the model itself."""
    if name in (None, "self"):
        return None
    if ":" not in name:
        raise ValueError(f"expected --judge as self, {' or '.join(FORMS[::-1])}, but got {name!r}")
    return make_judge(name, sees=True)
