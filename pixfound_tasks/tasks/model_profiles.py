"""What each lmms-eval model is declared to need: the kind of referring prompt and the coordinate convention.

`BY_MODEL` is the `lmms_eval_specific_kwargs` of the tasks, keyed by the value of `--model`. `kind` names a wording in
`prompts.text.REFERRING`, `coordinates` a convention in `grounding.coordinates.conventions`. `api` says that an empty
answer is a failed request. Conventions are listed only for models with a single one: a backend such as `vllm` or
`huggingface` can run any model, so its name does not tell; `tasks.backends` lists them all. PIXFOUND_KIND and
PIXFOUND_COORDINATES set kind and convention for such backends, and override the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from loguru import logger

from pixfound_tasks.grounding.coordinates.conventions import conventions_of_models
from pixfound_tasks.grounding.coordinates.reading import check_convention
from pixfound_tasks.hosts.failed_requests import API_BACKENDS, is_failed
from pixfound_tasks.prompts.text import COORDINATES, check_kind
from pixfound_tasks.settings import read_setting

_KINDS = {"pixfound": "attention", "pixfound_pixel": "mask", "pixfound_replay": "mask", "sam3": "phrase"}


class ModelProfile(NamedTuple):
    """The kind of referring prompt, and the convention of the coordinates in the answer; None if unknown."""

    kind: str = "attention"
    coordinates: str | None = None


# lmms-eval passes the model's entry to a task's prompt function, but not to its scoring. The prompt function stores it
# here, by benchmark; every prompt of a run is made before the first answer is scored.
_profiles: dict[str, ModelProfile] = {}
_on_servers: set[str] = set()  # benchmarks that a backend runs whose empty answers are failed requests


def by_model() -> dict[str, dict[str, Any]]:
    """The prompt kind and the coordinate convention of every known model, in the form that the task YAMLs use."""
    models: dict[str, dict[str, Any]] = {model: {"kind": kind} for model, kind in _KINDS.items()}
    for model, convention in conventions_of_models().items():
        models[model] = {"kind": "box", "coordinates": convention}
    for model in API_BACKENDS:
        models[model] = models.get(model, {"kind": "box"}) | {"api": True}
    return models | {"default": {"kind": "box"}}


def __getattr__(attribute: str) -> dict[str, dict[str, Any]]:
    if attribute == "BY_MODEL":  # a new dict each time, because lmms-eval writes into it
        return by_model()
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def note_backend(doc: Mapping[str, Any], entry: Mapping[str, Any] | None) -> None:
    """Store whether the backend that runs on a document's benchmark uses a server; `entry` is from `BY_MODEL`."""
    benchmark = doc.get("benchmark", "")
    if (entry or {}).get("api"):
        _on_servers.add(benchmark)
    else:
        _on_servers.discard(benchmark)


def is_missing(doc: Mapping[str, Any], output: object) -> bool:
    """Whether there is no answer about a document, because the request failed; `output` came in its place."""
    return is_failed(output, doc.get("benchmark", "") in _on_servers)


def set_profile(benchmark: str, entry: Mapping[str, Any] | None) -> ModelProfile:
    """Store what is declared of the model that runs on a benchmark, and return it; `entry` is from `BY_MODEL`.

    If it is prompted for coordinates whose convention is not declared, that is logged, once for a benchmark. Raises
    ValueError for an unknown kind or convention, before the model has answered anything.
    """
    note_backend({"benchmark": benchmark}, entry)
    entry = entry or {}
    kind = read_setting("PIXFOUND_KIND") or entry.get("kind") or ModelProfile().kind
    coordinates = read_setting("PIXFOUND_COORDINATES") or entry.get("coordinates")
    check_kind(kind)
    if coordinates:
        check_convention(coordinates)
    profile = ModelProfile(kind, coordinates)
    if kind in COORDINATES and not coordinates and _profiles.get(benchmark) != profile:
        logger.warning(
            f"{benchmark}: the model is prompted for a {COORDINATES[kind]}, but what its numbers mean is not declared, "
            "so numbers whose syntax does not say it are not read; set PIXFOUND_COORDINATES, for example "
            "PIXFOUND_COORDINATES=thousand (0..1000, as Qwen3-VL and InternVL write) or PIXFOUND_COORDINATES=pixel "
            "(pixels of the image)"
        )
    _profiles[benchmark] = profile
    return profile


def get_profile(benchmark: str) -> ModelProfile:
    """What was last stored for a benchmark; if nothing was, what the environment variables say."""
    return _profiles.get(benchmark) or set_profile(benchmark, None)
