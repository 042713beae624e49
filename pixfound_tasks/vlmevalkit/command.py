"""Runs VLMEvalKit's command on our datasets: first all replies, then, with the model freed, their scores.

VLMEvalKit itself scores each dataset while the model is in memory, where a segmenter would have no room beside it.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pixfound_tasks.runs.samples import sample_files
from pixfound_tasks.settings import set_default
from pixfound_tasks.vlmevalkit.config import Config, define_models, read_config
from pixfound_tasks.vlmevalkit.host import load_host
from pixfound_tasks.vlmevalkit.models import Model, declared_of, find_model
from pixfound_tasks.vlmevalkit.names import expand, tasks_by_dataset
from pixfound_tasks.vlmevalkit.predictions import READERS, read_predictions, read_questions

_USAGE = """\
Evaluates models of VLMEvalKit on the datasets of pixfound-tasks. All other options are VLMEvalKit's own, such as
--base-url, --limit, --work-dir, --mode, --api-nproc: python -m vlmeval --help. Afterwards: pixfound report WORK_DIR."""
_EXAMPLE = "--data PixMini_VQA PixMini_Ground --model Qwen2.5-VL-7B-Instruct"


class UsageError(ValueError):
    """The options cannot be run. The message says what to do."""


class Options(NamedTuple):
    """The options that are read here, and `rest`, which VLMEvalKit reads. `defined` are the models of --config."""

    data: list[str]
    models: list[str]
    work_dir: Path
    mode: str
    is_api: bool
    rest: list[str]
    defined: Mapping[str, Mapping[str, Any]] = {}


def read_options(arguments: Sequence[str]) -> Options:
    """Read the options.

    Raises UsageError for those that are missing or cannot be combined, ValueError for a dataset that is not ours.
    """
    parser = argparse.ArgumentParser("python -m pixfound_tasks.vlmevalkit", description=_USAGE, allow_abbrev=False)
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME", help=", ".join(tasks_by_dataset()))
    parser.add_argument("--model", nargs="+", default=[], metavar="NAME", help="models of VLMEvalKit or of --base-url")
    parser.add_argument("--config", type=Path, help="VLMEvalKit's JSON file of models and datasets")
    parser.add_argument("--work-dir", type=Path, default=Path("outputs"), help="the folder for replies and scores")
    parser.add_argument("--mode", default="all", choices=["all", "infer", "eval"])
    parser.add_argument("--api-mode", action="store_true", help="VLMEvalKit's pipeline for models on a server")
    found, rest = parser.parse_known_args(arguments)
    config = read_config(found.config) if found.config else Config({}, [])
    data, models = found.data or config.data, found.model or list(config.models)
    if not data or not models:
        raise UsageError(
            f"expected datasets and models, such as {_EXAMPLE}, but got {' '.join(arguments) or 'nothing'}"
        )
    if found.api_mode and "--custom-prompt" in rest:
        raise UsageError(
            "expected our own prompts, which --api-mode replaces with --custom-prompt; leave one of them out"
        )
    return Options(expand(data), models, found.work_dir, found.mode, found.api_mode, rest, config.models)


def evaluate(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Returns its exit status: 1 if a dataset was not evaluated.

    Raises HostError if VLMEvalKit cannot be used, UsageError, and ValueError for a dataset that is not ours.
    """
    options = read_options(arguments)
    set_default("PRED_FORMAT", "tsv")  # VLMEvalKit's default, a spreadsheet, cuts off long replies
    load_host()
    from vlmeval.config import supported_VLM

    from pixfound_tasks.vlmevalkit.datasets import register

    define_models(options.defined, supported_VLM)
    for name in options.models:
        _check_model(options, name, supported_VLM)
        check_earlier_prompts(options, find_model(name, supported_VLM.get(name)))
    register()
    before = _sample_files(options)
    for name in options.models:  # one at a time, because prompts depend on the model
        _run(options, name)
    if options.mode == "infer" or not _is_first():
        return 0
    written = {(file.parent.name, task) for file, task in _sample_files(options) - before}
    missing = [(model, data) for model in options.models for data in options.data if _key(model, data) not in written]
    for model, data in missing:
        print(f"pixfound-tasks: {data} was not evaluated with {model}: see VLMEvalKit's log", file=sys.stderr)
    return 1 if missing else 0


def _check_model(options: Options, name: str, known: Mapping[str, Any]) -> None:
    is_served = "--base-url" in options.rest
    if not is_served and name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise UsageError(
            f"expected --base-url or one of VLMEvalKit's {len(known)} models, which `vlmutil mlist all` prints, but "
            f"got {name}{hint}"
        )
    if is_served and not options.is_api and "/" in name:
        raise UsageError(f"expected --api-mode for a model whose name has a slash, but got {name} without it; add it")


def check_earlier_prompts(options: Options, model: Model) -> None:
    """Raise UsageError if the folder has replies to other prompts, which VLMEvalKit would take for replies to these."""
    tasks = tasks_by_dataset()
    for data in options.data:
        for file in _tables(options, model.name, data):
            asked = read_questions(file)
            prompts = {doc["id"]: tasks[data].prompt(doc, declared_of(model)) for doc in tasks[data].documents()}
            other = [name for name, prompt in asked.items() if prompts.get(name) != prompt]
            if other:
                raise UsageError(
                    f"expected replies to the prompts of this run in {file}, but that of document {other[0]} was "
                    f"{asked[other[0]]!r}; give another --work-dir, or remove the file"
                )


def _run(options: Options, model: str) -> None:
    """Run VLMEvalKit's command for one model; of one in this process, the scores come after the model is gone."""
    arguments = ["--data", *options.data, "--model", model, "--work-dir", str(options.work_dir), *options.rest]
    if options.is_api:
        return _call_host([*arguments, "--api-mode", "--mode", options.mode])
    if options.mode != "eval" and not all(_is_complete(options, model, data) for data in options.data):
        _call_host([*arguments, "--mode", "infer"])
        _free_memory()
    if options.mode != "infer" and _is_first():
        # Failed requests are scored as such, as in lmms-eval.
        keep = [] if "--keep-failed" in options.rest else ["--keep-failed"]
        with _alone():
            _call_host([*arguments, *keep, "--mode", "eval"])
    return None


def _is_complete(options: Options, model: str, data: str) -> bool:
    """Whether there is a reply to every document; going through them again, VLMEvalKit would change some."""
    ids = {doc["id"] for doc in tasks_by_dataset()[data].documents()}
    replies = [read_predictions(file) for file in _tables(options, model, data)]
    return any(ids <= found.keys() and None not in found.values() for found in replies)


def _tables(options: Options, model: str, data: str) -> list[Path]:
    """The tables of a model's replies."""
    files = (options.work_dir / model).glob(f"**/{model}_{data}.*")
    return sorted(file for file in files if file.suffix in READERS)


def _call_host(arguments: Sequence[str]) -> None:
    from vlmeval import run

    before, sys.argv = sys.argv, ["vlmeval", *arguments]
    try:
        run.main()
    finally:
        sys.argv = before


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_first() -> bool:
    from vlmeval import run

    return run.RANK == 0


@contextmanager
def _alone() -> Iterator[None]:
    """Let VLMEvalKit's command run in this process alone, though it was started in several."""
    from vlmeval import run

    before, run.WORLD_SIZE = run.WORLD_SIZE, 1
    try:
        yield
    finally:
        run.WORLD_SIZE = before


def _sample_files(options: Options) -> set[tuple[Path, str]]:
    return set(sample_files(options.work_dir)) if options.work_dir.is_dir() else set()


def _key(model: str, data: str) -> tuple[str, str]:
    """The folder and the task that a model and a dataset are logged under."""
    return model.replace("/", "--"), tasks_by_dataset()[data].name
