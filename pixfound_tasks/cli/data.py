"""`pixfound data`: what there is of the benchmarks, getting it, checking it, and passing it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="The benchmarks' data: what is there, and getting, checking and exporting it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Benchmarks = Annotated[list[str] | None, typer.Argument(help="Names of benchmarks; all if none is named.")]


@app.command()
def info(
    benchmark: Benchmarks = None, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False
) -> None:
    """Print what is there, from where, what is missing and where it is cached; downloads nothing."""
    import json

    from pixfound_tasks.benchmarks import inventory
    from pixfound_tasks.benchmarks.sources import DataError
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.inventory_table import print_inventories

    with errors_shown(DataError, ValueError, OSError), _quietly():
        found = [inventory.take(name) for name in _names(benchmark)]
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], indent=2))
    else:
        print_inventories(found)


@app.command()
def fetch(benchmark: Benchmarks = None) -> None:
    """Download what is not there, join, check and save it."""
    from pixfound_tasks.benchmarks import fetching
    from pixfound_tasks.benchmarks.sources import DataError
    from pixfound_tasks.report.console import errors_shown

    failed = 0
    for name in _names(benchmark):
        with errors_shown(DataError, ValueError, OSError):
            for line in fetching.fetch(name):
                typer.echo(f"{name}: {line}")
        failed += _print_checks(name)
    raise typer.Exit(failed > 0)


@app.command()
def verify(benchmark: Benchmarks = None) -> None:
    """Check what is there against the known counts and checksums; exits with 1 where a check fails."""
    failed = sum(_print_checks(name) for name in _names(benchmark))
    raise typer.Exit(failed > 0)


@app.command()
def export(
    benchmark: Annotated[str, typer.Argument(help="The name of a benchmark, such as pixmini.")],
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
) -> None:
    """Write a joined benchmark as a folder of parquet files that datasets.load_dataset loads."""
    from pixfound_tasks.benchmarks.export import export as write
    from pixfound_tasks.benchmarks.sources import DataError
    from pixfound_tasks.report.console import errors_shown

    with errors_shown(DataError, ValueError, OSError):
        [name] = _names([benchmark])
        typer.echo(write(name, folder, typer.echo))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the log's lines about what was found: the output says it. Warnings are still logged."""
    from loguru import logger

    logger.disable("pixfound_tasks.benchmarks.sources")
    try:
        yield
    finally:
        logger.enable("pixfound_tasks.benchmarks.sources")


def _names(asked: list[str] | None) -> list[str]:
    from pixfound_tasks.benchmarks.registry import benchmark_names
    from pixfound_tasks.choices import check_choice
    from pixfound_tasks.report.console import errors_shown

    with errors_shown(ValueError):
        for name in asked or ():
            check_choice("the benchmark", name, benchmark_names())
    return list(dict.fromkeys(asked or benchmark_names()))


def _print_checks(name: str) -> int:
    """Print one line a check, and return how many failed."""
    from pixfound_tasks.benchmarks.checks import verify
    from pixfound_tasks.report.console import errors_shown

    failed = 0
    with errors_shown(ValueError, OSError), _quietly():
        for check in verify(name):
            typer.echo(f"{name}: {check.status:7} {check.what}: {check.found}")
            failed += check.status == "failed"
    return failed
