"""`report.json`: the complete summaries, with the images behind each count. What was not measured is null."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from pixfound_tasks.analysis.failures import Outcomes
from pixfound_tasks.runs.provenance import Provenance, as_texts
from pixfound_tasks.runs.summary import Summary


def as_json(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """Returns the summaries as JSON values, keyed by field name. Fractions are in 0..1 and not rounded.

    The four outcomes have `counts`, `shares` (fractions with intervals), and `units` (the image ids behind each count).
    """
    return [_value(summary) for summary in summaries]


def _value(value: Any) -> Any:
    if isinstance(value, Provenance):
        return _value(as_texts(value))
    if isinstance(value, Outcomes):
        named = {name: getattr(value, name) for name in ("total", "counts", "shares", "units")}
        return _value({**named, **{name: getattr(value, name) for name in ("incomplete",) if hasattr(value, name)}})
    if is_dataclass(value):
        return {each.name: _value(getattr(value, each.name)) for each in fields(value)}
    if hasattr(value, "_asdict"):
        return _value(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _value(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
