"""`pixfound leaderboard`: merges the rows that `pixfound report --leaderboard` wrote into one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def leaderboard(
    row: Annotated[
        list[Path], typer.Argument(help="Files that pixfound report --leaderboard wrote, or folders of them.")
    ],
    markdown: Annotated[Path | None, typer.Option(help="File to write the table to as Markdown.")] = None,
    html: Annotated[Path | None, typer.Option(help="File to write the table to as HTML.")] = None,
    site: Annotated[
        Path | None, typer.Option(help="Folder to write a static site to, with copies of the reports beside the rows.")
    ] = None,
) -> None:
    """Rank runs in sections that share prompts, selection, judges and data; print Markdown unless a file is given.

    Reports are copied into the site as they are: collect only those that you trust. Rows may come from anyone.
    """
    from pixfound_tasks.files import replacing
    from pixfound_tasks.report.console import errors_shown
    from pixfound_tasks.report.leaderboard import LeaderboardError, read_rows
    from pixfound_tasks.report.leaderboard.page import as_html
    from pixfound_tasks.report.leaderboard.site import row_files, write_site
    from pixfound_tasks.report.leaderboard.tables import as_markdown

    with errors_shown(LeaderboardError, OSError):
        files = row_files(row)
        rows = read_rows(*files)
        for file, render in ((markdown, as_markdown), (html, as_html)):
            if file:
                with replacing(file) as beside:
                    beside.write_text(render(rows), encoding="utf-8")
                typer.echo(file)
        if site:
            for line in write_site(files, site):
                typer.echo(line)
    if not markdown and not html and not site:
        typer.echo(as_markdown(rows), nl=False)
