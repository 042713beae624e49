"""`pixfound leaderboard`: merges the rows that `pixfound report --leaderboard` wrote into one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def leaderboard(
    row: Annotated[list[Path], typer.Argument(help="Files that pixfound report --leaderboard wrote.")],
    markdown: Annotated[Path | None, typer.Option(help="File to write the table to as Markdown.")] = None,
    html: Annotated[Path | None, typer.Option(help="File to write the table to as HTML.")] = None,
) -> None:
    """Rank runs in sections that share prompts, selection, judges and data; print Markdown unless a file is given."""
    from pixfound_tasks.files import replacing
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.leaderboard import LeaderboardError, read_rows
    from pixfound_tasks.report.leaderboard.tables import as_html, as_markdown

    with errors_shown(LeaderboardError):
        rows = read_rows(*row)
    with errors_shown(OSError):
        for file, render in ((markdown, as_markdown), (html, as_html)):
            if file:
                with replacing(file) as beside:
                    beside.write_text(render(rows), encoding="utf-8")
                typer.echo(file)
    if not markdown and not html:
        typer.echo(as_markdown(rows), nl=False)
