"""What `pixfound run` does: checks, lmms-eval's command in this process, its results, and the exit status."""

from __future__ import annotations

import logging
import math
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from pixfound_tasks.hosts.command import (
    CANNOT_START,
    FAILED,
    INTERRUPTED,
    Evaluation,
    error_line,
    evaluations_collected,
    run_command,
)

_LEVEL = "--verbosity"
_LISTS = ("list", "list_groups", "list_tags", "list_subtasks")  # values of --tasks
# lmms-eval warns of every --limit; the results and the report say themselves that a run is partial.
_NOT_SHOWN = "--limit SHOULD ONLY BE USED FOR TESTING"


def evaluate(arguments: Sequence[str]) -> int:
    """Run lmms-eval with these arguments, print the results, and return the exit status, see `cli.run`."""
    # A list, such as that of `--tasks list`, is logged too.
    is_level_set = any(argument.partition("=")[0] == _LEVEL or argument in _LISTS for argument in arguments)
    found: list[Evaluation] = []
    try:
        with _quietly(), evaluations_collected(lambda options: _prepare(options, is_level_set)) as found:
            run_command(arguments if is_level_set else [*arguments, _LEVEL, "WARNING"])
    except KeyboardInterrupt:
        _say("interrupted; the same command with --use_cache DIR keeps the answers and goes on from them")
        return INTERRUPTED
    except SystemExit as ended:  # a list of tasks, the parser's error, or a process with peers
        _print(found)
        return ended.code if isinstance(ended.code, int) else FAILED if ended.code else 0
    except (ValueError, OSError) as error:  # in lmms-eval's own reading of its options
        _say(f"Error: {error_line(error)}")
        return CANNOT_START
    _print(found)
    return max((_status(each) for each in found), default=CANNOT_START)


def _prepare(options: Namespace, is_level_set: bool) -> None:
    """Check everything that can be checked before the model is loaded. Raises ValueError and DataError."""
    if not is_level_set:
        _log_briefly()
    if not options.tasks:
        raise ValueError("expected --tasks TASK,..., but got none; `pixfound run --tasks list` prints their names")
    if options.tasks not in _LISTS:
        _check_settings()
        _check_model(options.model)
        _check_tasks(options.tasks.split(","))


def _check_model(name: str) -> None:
    from difflib import get_close_matches

    from lmms_eval.models import AVAILABLE_MODELS, get_model_manifest

    try:
        get_model_manifest(name)
    except ValueError as error:
        nearest = get_close_matches(name, AVAILABLE_MODELS, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"expected --model to be one that `lmms-eval models` lists, but got {name!r}{hint}") from error


def _check_tasks(names: Sequence[str]) -> None:
    """Check the names of our tasks, and that their data is there: joined and saved if it is not yet."""
    from pixfound_tasks.benchmarks import folder
    from pixfound_tasks.benchmarks.registry import benchmark_names
    from pixfound_tasks.choices import check_choice
    from pixfound_tasks.protocols import own_names

    for benchmark in benchmark_names():
        if own := [name for name in names if name == benchmark or name.startswith(f"{benchmark}_")]:
            for name in own:
                check_choice("a task", name, own_names(benchmark))
            folder(benchmark)


def _check_settings() -> None:
    from pixfound_tasks.doctor.findings import ERROR
    from pixfound_tasks.doctor.variables import examine_variables

    for finding in examine_variables():
        if finding.status == ERROR:
            named = "" if finding.name in finding.detail else f"{finding.name}: "
            raise ValueError(f"{named}{finding.detail}; {finding.remedy}")


def _log_briefly() -> None:
    """Log lines without their time and place, on standard error."""
    from loguru import logger

    logger.remove()
    logger.add(
        sys.stderr,
        level="WARNING",
        format="<level>{level.name}</level>: {message}",
        filter=lambda record: _NOT_SHOWN not in record["message"],
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the bars, logs and warnings of the hosts that say nothing about this run."""
    from pixfound_tasks.hosts.progress_bars import only_requests_shown

    for name in ("transformers", "datasets", "huggingface_hub", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), only_requests_shown(_say):
        warnings.simplefilter("ignore")
        yield


def _print(found: Iterable[Evaluation]) -> None:
    from pixfound_tasks.report.results_table import print_results

    for each in found:
        if each.error is not None:
            more = "" if each.options.verbosity == "DEBUG" else f" ({_LEVEL} DEBUG shows where it happened)"
            _say(f"Error: {error_line(each.error)}{more * (each.status == FAILED)}")
        if each.results is not None:
            print_results(each.results, each.options.output_path if each.options.log_samples else None)
            for task in without_results(each.results):
                _say(f"Error: {task} has no results: no answer could be scored")


def _status(evaluation: Evaluation) -> int:
    if evaluation.status or evaluation.results is None:
        return evaluation.status
    return FAILED if without_results(evaluation.results) else 0


def without_results(results: Mapping[str, Any]) -> list[str]:
    """Return the tasks none of whose metrics has a value."""
    return [task for task in results["configs"] if not any(map(_is_number, results["results"].get(task, {}).values()))]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _say(line: str) -> None:
    typer.echo(line, err=True)
