"""`pixfound run`: lmms-eval's command with a real exit status, without its noise, and with what to do next."""

from __future__ import annotations

import typer

# lmms-eval reads the options, and so its parser's errors are shown; only `--help` is answered here.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}


def run(context: typer.Context) -> None:
    """Evaluate a model: `lmms-eval` with the same options (--model, --model_args, --tasks, --output_path, ...).

    Settings and data are checked before the model is loaded, and of the bars only that of the requests is shown. Logs
    begin at warnings, or at --verbosity. Exits with 0 only if every task has results, with 1 if an evaluation failed,
    with 2 if it cannot start, for example without its data, and with 130 if it was interrupted.
    """
    from pixfound_tasks.cli.evaluation import evaluate

    raise typer.Exit(evaluate(context.args))
