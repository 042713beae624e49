"""Reads VLMEvalKit's `--config` file, with which users define models that are not in its list."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

_FORM = '{"model": {"NAME": {"class": "Qwen2VLChat", "model_path": "FOLDER"}}, "data": {"PixMini_VQA": {}}}'


class Config(NamedTuple):
    """The arguments of each model by its name, empty for one of VLMEvalKit's list, and the names of the datasets."""

    models: dict[str, dict[str, Any]]
    data: list[str]


def read_config(file: Path) -> Config:
    """Read the file. Raises ValueError if it has another form; of a dataset only its name is read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        models, data = dict(content["model"]), list(content.get("data") or ())
        return Config({str(name): dict(arguments) for name, arguments in models.items()}, list(map(str, data)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected JSON like {_FORM} in {file}, but got {type(error).__name__}: {error}") from error


def define_models(models: Mapping[str, Mapping[str, Any]], known: MutableMapping[str, Any]) -> None:
    """Add the models that name a class to VLMEvalKit's list, `known`. Raises ValueError for an unknown class."""
    import vlmeval.api
    import vlmeval.vlm

    for name, arguments in models.items():
        given = dict(arguments)
        kind = given.pop("class", None)
        if kind is None:
            continue
        made_by = getattr(vlmeval.api, kind, None) or getattr(vlmeval.vlm, kind, None)
        if made_by is None:
            raise ValueError(f"expected a class of vlmeval.vlm or vlmeval.api for the model {name}, but got {kind!r}")
        known[name] = partial(made_by, **given)
