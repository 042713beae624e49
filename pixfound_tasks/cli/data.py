"""`pixfound data`: lists, downloads, verifies and exports the benchmarks' data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="List, download, verify and export the benchmarks' data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Benchmarks = Annotated[list[str] | None, typer.Argument(help="Names of benchmarks; all benchmarks by default.")]


@app.command()
def info(
    benchmark: Benchmarks = None, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False
) -> None:
    """Print which data is available, its source, what is missing and where it is cached. Downloads nothing."""
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
    """Download missing data, join it into a benchmark, verify it and save it."""
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
    """Verify the available data against known counts and checksums. Exits with 1 if a check fails."""
    failed = sum(_print_checks(name) for name in _names(benchmark))
    raise typer.Exit(failed > 0)


@app.command()
def export(
    benchmark: Annotated[str, typer.Argument(help="The name of a benchmark, such as pixmini.")],
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
) -> None:
    """Write a joined benchmark as a folder of Parquet files that datasets.load_dataset can load."""
    from pixfound_tasks.benchmarks.export import export as write
    from pixfound_tasks.benchmarks.sources import DataError
    from pixfound_tasks.report.console import errors_shown

    with errors_shown(DataError, ValueError, OSError):
        [name] = _names([benchmark])
        typer.echo(write(name, folder, typer.echo))


@contextmanager
def _quietly() -> Iterator[None]:
    """Silences log messages about the sources of data, which the output repeats. Other messages are still logged."""
    from loguru import logger

    logger.disable("pixfound_tasks.benchmarks.sources")
    try:
        yield
    finally:
        logger.enable("pixfound_tasks.benchmarks.sources")


def _names(asked: list[str] | None) -> list[str]:
    from pixfound_tasks.benchmarks.registry import benchmark_names, usable_benchmarks
    from pixfound_tasks.choices import check_choice
    from pixfound_tasks.report.console import errors_shown

    with errors_shown(ValueError):
        for name in asked or ():
            check_choice("the benchmark", name, benchmark_names())
    return list(dict.fromkeys(asked or (benchmark.name for benchmark in usable_benchmarks())))


def _print_checks(name: str) -> int:
    """Prints one line per check and returns the number of failed checks."""
    from pixfound_tasks.benchmarks.checks import verify
    from pixfound_tasks.report.console import errors_shown

    failed = 0
    with errors_shown(ValueError, OSError), _quietly():
        for check in verify(name):
            typer.echo(f"{name}: {check.status:7} {check.what}: {check.found}")
            failed += check.status == "failed"
    return failed
