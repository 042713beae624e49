"""A leaderboard as a folder that any static host serves: the page, its rows, and the reports that they link to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixfound_tasks.files import replacing
from pixfound_tasks.report.leaderboard.page import Downloads, as_html
from pixfound_tasks.report.leaderboard.schema import LeaderboardError, is_path, read_rows
from pixfound_tasks.report.leaderboard.tables import as_markdown

_FILES = Downloads(markdown="leaderboard.md", rows="rows.json")
_REPORTS = "reports"


def row_files(places: Sequence[Path]) -> list[Path]:
    """Returns the files of rows: files as they are named, and of a folder its `*.json` and `*.yaml`, by name.

    Raises `LeaderboardError` if a folder has none.
    """
    found: list[Path] = []
    for place in places:
        files = sorted([*place.glob("*.json"), *place.glob("*.yaml")]) if place.is_dir() else [place]
        if not files:
            raise LeaderboardError(
                f"expected files of rows, *.json, in the folder {place}, but there are none; write rows with "
                f"`pixfound report RUN --leaderboard {place / 'NAME.json'}`"
            )
        found += files
    return found


def write_site(files: Sequence[Path], folder: Path) -> Iterator[str]:
    """Writes the site of these files of rows into a folder, and yields a line for each part.

    A report that a row links to by a path is copied as it is, with the folder that it is in, from beside the row's
    file; links to what is not there are left out. Rows with an address keep it. Raises `LeaderboardError` if a row is
    invalid or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise LeaderboardError(f"expected a folder to write the site to, but {folder} is a file; give another --site")
    rows: dict[str, Mapping[str, Any]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    copied: dict[Path, str] = {}
    for file in files:
        for row in read_rows(file):
            linked = dict(row) | {"report": _published(row["report"], file.parent, folder, copied)}
            rows[json.dumps(linked, sort_keys=True)] = linked
    found = list(rows.values())
    _write(folder / _FILES.rows, json.dumps(found, indent=2, allow_nan=False) + "\n")
    _write(folder / _FILES.markdown, as_markdown(found))
    _write(folder / "index.html", as_html(found, _FILES))
    yield f"{len(found)} rows, {len(copied)} reports"
    yield str(folder / "index.html")


def _published(link: str | None, beside: Path, folder: Path, copied: dict[Path, str]) -> str | None:
    """Returns a row's link from the site, and copies the report if it is not there yet."""
    if link is None or not is_path(link):
        return link
    page = beside / link
    source = page.parent.resolve()
    # A link of the file system may lead out of the folder of the rows; nothing from elsewhere is published.
    if not page.is_file() or page.is_symlink() or not source.is_relative_to(beside.resolve()):
        return None
    if source not in copied:
        copied[source] = f"{_REPORTS}/{len(copied) + 1}"
        target = folder / copied[source]
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(source, target, ignore=_links)
    return f"{copied[source]}/{page.name}"


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_symlink()]


def _write(file: Path, text: str) -> None:
    with replacing(file) as beside:
        beside.write_text(text, encoding="utf-8")
