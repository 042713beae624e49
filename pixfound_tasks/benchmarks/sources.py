"""Finds a benchmark's files in a local folder or in data sets on the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from pixfound_tasks.benchmarks.registry import usable_benchmarks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.settings import read_setting

_BLOCK = 1 << 20  # bytes


class DataError(RuntimeError):
    """A benchmark's files are missing or differ from the published ones. The message says how to fix that."""


class NotDownloaded(DataError):
    """A hub data set is not in the local cache and could not be downloaded."""


@contextmanager
def with_fix_hint(benchmark: str) -> Iterator[None]:
    """Append the command that fixes the problem to the message of any DataError about the files."""
    try:
        yield
    except DataError as error:
        if type(error) not in (DataError, NotDownloaded):
            raise
        line = " ".join(str(error).split())
        raise type(error)(f"{line}. {_remedy(benchmark, isinstance(error, NotDownloaded))}") from error


def _remedy(benchmark: str, is_absent: bool) -> str:
    fetch = f"`pixfound data fetch {benchmark}`"
    if is_absent:
        return (
            f"Set PIXFOUND_DATA to a folder that holds it, run {fetch} on a machine that can reach the hub, or "
            "evaluate on PixMini (pixmini_...), which needs no data"
        )
    if read_setting("PIXFOUND_DATA"):
        return f"To fix this, put the published file into PIXFOUND_DATA, or unset PIXFOUND_DATA and run {fetch}"
    revision = " (unset PIXFOUND_REVISION if an older revision lacks the file)" * bool(requested_revision(benchmark))
    return f"To fix this, run {fetch}{revision}, which downloads damaged files again"


def expect_published(holds: bool, expected: str, got: str, benchmark: str, data_sets: str) -> None:
    """Raise DataError unless `holds` is true. The message names the data sets to fetch again."""
    if not holds:
        raise DataError(
            f"expected {expected} in {benchmark}, but got {got}. The files differ from the published ones: fetch them "
            f"again, {data_sets}"
        )


@dataclass(frozen=True)
class Files:
    """A benchmark's files by name, independent of their location.

    The other fields are text for people. `origin` is stored with the documents. `place` (where the files are) and
    `layout` (which files belong there) are used in error messages.
    """

    origin: str
    place: str
    layout: str
    paths: dict[str, Path]

    def path(self, name: str) -> Path:
        """Return the file's path. Raises DataError if the file is missing."""
        if name not in self.paths:
            raise DataError(f"expected a file {name} in {self.place}, but there is none. Layout: {self.layout}")
        return self.paths[name]

    def read(self, name: str) -> bytes:
        """Return the file's content. Raises DataError if the file is missing or cannot be read."""
        with _reading(name):
            return self.path(name).read_bytes()

    def digest(self) -> str:
        """Return the SHA-256 over the names and contents of all files. Raises DataError if one cannot be read."""
        digest = hashlib.sha256()
        for name in sorted(self.paths):
            with _reading(name):
                digest.update(f"{name} {file_digest(self.paths[name])}\n".encode())
        return digest.hexdigest()


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"expected to read {name}, but got: {error}") from error


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def by_name(paths: Iterable[Path], name_of: Callable[[Path], str] = lambda path: path.name) -> dict[str, Path]:
    """Return the paths by name. Raises DataError if two paths share a name, because either may be incorrect."""
    named: dict[str, Path] = {}
    for path in sorted(paths):
        name = name_of(path)
        if name in named:
            raise DataError(f"expected one file called {name}, but got {named[name]} and {path}: remove one")
        named[name] = path
    return named


def local_folder(name: str, layout: str) -> Path | None:
    """Return the folder with this name in PIXFOUND_DATA. Returns None if PIXFOUND_DATA is not set.

    Raises DataError if the folder is missing. Data from the hub would not be what the user selected.
    """
    data = read_setting("PIXFOUND_DATA")
    if not data:
        return None
    folder = Path(data).expanduser() / name
    if not folder.is_dir():
        raise DataError(
            f"expected a folder {name} in PIXFOUND_DATA={data}, but there is none. Layout: {layout}. "
            "If PIXFOUND_DATA is not set, the data is downloaded from the Hugging Face hub"
        )
    return folder


def requested_revision(benchmark: str) -> str | None:
    """Return the revision of a benchmark's annotations that PIXFOUND_REVISION selects, or None if it selects none.

    PIXFOUND_REVISION is one revision for all benchmarks, or revisions by name: `pixmmvp=REVISION,pixcvbench=REVISION`.
    Raises ValueError for a mixture of the two forms, for a name that is given twice, and for unknown names.
    """
    asked = read_setting("PIXFOUND_REVISION").strip()
    if "=" not in asked:
        return asked or None
    return _revisions(asked).get(benchmark)


def check_revision(asked: str) -> None:
    """Raise ValueError unless this is a valid value of PIXFOUND_REVISION."""
    if "=" in asked:
        _revisions(asked)


def _revisions(asked: str) -> dict[str, str]:
    revisions = {}
    for part in asked.split(","):
        name, _, revision = (text.strip() for text in part.partition("="))
        if not revision or name in revisions:
            raise ValueError(
                "expected PIXFOUND_REVISION to be one revision, or each benchmark's once, as in "
                f"'pixmmvp=main,pixcvbench=main', but got {asked!r}; correct the part {part!r}"
            )
        on_the_hub = [benchmark.name for benchmark in usable_benchmarks() if benchmark.files]
        check_choice("the benchmark in PIXFOUND_REVISION", name, on_the_hub)
        revisions[name] = revision
    return revisions


def download(repo: str, patterns: Sequence[str], revision: str | None = None, local_only: bool = False) -> Path:
    """Download the files of a hub data set that match the patterns, and return their local folder.

    Files that are already there are not downloaded again. The folder's name is the resolved revision. If `local_only`
    or HF_HUB_OFFLINE is set, or if the hub cannot be reached, earlier downloads are used. Raises NotDownloaded if there
    are none.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    is_local = local_only or constants.HF_HUB_OFFLINE
    options = {"local_files_only": True} if local_only else {}
    try:
        # Pass the revision unresolved: only then can the hub's cache resolve it offline.
        folder = Path(
            snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=list(patterns), **options)
        )
    except Exception as error:  # errors of the client, its transport and the disk have no other common base class
        place = "in the hub's local cache" if is_local else "on the Hugging Face hub or in its local cache"
        why = " (HF_HUB_OFFLINE is set)" * bool(constants.HF_HUB_OFFLINE)
        reason = f"got {type(error).__name__}: {' '.join(str(error).split())}"
        if is_local and type(error) is LocalEntryNotFoundError:
            reason = "it is not there"
        raise NotDownloaded(
            f"expected data set {repo} (revision {revision or 'main'}) {place}{why}, but {reason.rstrip('.')}"
        ) from error
    logger.info(f"{repo}: revision {folder.name}")
    return folder
