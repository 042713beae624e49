"""lmms-eval's command, which prints a traceback for every error and then exits with 0, as if it had succeeded.

| used or replaced | for what | seen in |
|---|---|---|
| `__main__.cli_evaluate`, `.cli_evaluate_single` | `pixfound run` | 0.7.0 to 0.7.3 |
| `evaluator.simple_evaluate` | the exit status of failed evaluations of our tasks | 0.7.0 to 0.7.3 |
"""

from __future__ import annotations

import functools
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

FAILED, CANNOT_START, INTERRUPTED = 1, 2, 130  # exit statuses
_OURS = "is_of_pixfound"  # marks a replacement


class CommandEnded(SystemExit):
    """The end of lmms-eval's command, whose handler of errors does not catch SystemExit. Its text is the reason."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.code = status


@dataclass
class Evaluation:
    """One evaluation of lmms-eval's command: its options, its results, and the error that ended it with a status.

    `results` is None if there was an error, and in processes other than the first one.
    """

    options: Namespace
    results: Mapping[str, Any] | None = None
    error: BaseException | None = None
    status: int = 0


def stop_command(message: str, status: int = FAILED) -> None:
    """End the process with one line and this status if lmms-eval's command runs; else return."""
    if not _is_command():
        return
    line = f"pixfound-tasks: {message}"
    if not _is_collected():
        print(line, file=sys.stderr, flush=True)
    raise CommandEnded(line, status)


def _is_command() -> bool:
    started_as = getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", "")
    return "lmms_eval.__main__" in sys.modules or started_as == "lmms_eval.__main__"


def _is_collected() -> bool:
    """Whether the command runs inside `evaluations_collected`, which knows what went wrong without being told."""
    return hasattr(getattr(sys.modules.get("lmms_eval.__main__"), "cli_evaluate_single", None), _OURS)


def fail_with_status(is_ours: Callable[[str], bool]) -> None:
    """Let lmms-eval's command exit with 1 if an evaluation of our tasks fails.

    Of a list of evaluations (`--config`) the others go on, and the status stays 0. Call it after `lmms_eval.evaluator`
    was imported; it changes nothing if it is called again.
    """
    from lmms_eval import evaluator

    original = evaluator.simple_evaluate
    if hasattr(original, _OURS):
        return

    @functools.wraps(original)
    def simple_evaluate(*positional: Any, **options: Any) -> Any:
        try:
            return original(*positional, **options)
        except Exception as error:
            given = options.get("cli_args")
            is_alone = given is not None and not getattr(given, "config", "") and not _is_collected()
            if is_alone and any(isinstance(task, str) and is_ours(task) for task in options.get("tasks") or ()):
                traceback.print_exc()
                stop_command(f"the evaluation failed: {error_line(error)}")
            raise

    setattr(simple_evaluate, _OURS, True)
    evaluator.simple_evaluate = simple_evaluate


def error_line(error: BaseException) -> str:
    """Return an error as one line; its type is said unless its message is made for users."""
    text = " ".join(str(error).split())
    if text and isinstance(error, (ValueError, OSError, RuntimeError, SystemExit)):
        return text.removeprefix("pixfound-tasks: ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def evaluations_collected(before: Callable[[Namespace], None]) -> Iterator[list[Evaluation]]:
    """Let lmms-eval's command hand over its results and errors instead of printing them.

    Args:
        before: called with the options of each evaluation before anything is loaded. What it raises ends the evaluation
            with `CANNOT_START`.
    """
    import lmms_eval.__main__ as host

    original, found = host.cli_evaluate_single, list[Evaluation]()

    def cli_evaluate_single(args: Namespace) -> tuple[Any, Any]:
        found.append(evaluation := Evaluation(args, status=CANNOT_START))
        try:
            before(args)
            evaluation.status = FAILED
            evaluation.results, samples = original(args)
        except (Exception, CommandEnded) as error:
            evaluation.error = error
            evaluation.status = getattr(error, "code", evaluation.status)
            if args.verbosity == "DEBUG":
                traceback.print_exc()
            if _has_peers():
                raise CommandEnded(error_line(error), evaluation.status) from error
            return None, None
        evaluation.status = 0
        # Trackers need the results. Without them, the command prints no tables of its own.
        return (evaluation.results, samples) if args.wandb_args or args.swanlab_args else (None, None)

    setattr(cli_evaluate_single, _OURS, True)
    host.cli_evaluate_single = cli_evaluate_single
    try:
        yield found
    finally:
        host.cli_evaluate_single = original


def _has_peers() -> bool:
    """Whether other processes may wait for this one, which then must end and not go on to its next evaluation."""
    import torch.distributed

    return torch.distributed.is_available() and torch.distributed.is_initialized()


def run_command(arguments: Sequence[str]) -> None:
    """Run lmms-eval's command in this process with these arguments. It may raise SystemExit."""
    from lmms_eval.__main__ import cli_evaluate

    before, sys.argv = sys.argv, ["lmms-eval", *arguments]
    try:
        cli_evaluate()
    finally:
        sys.argv = before
