"""Checks a benchmark against its published content. Downloads nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pixfound_tasks.benchmarks import builder_of, cache, downloads, published
from pixfound_tasks.benchmarks.build import BenchmarkBuilder
from pixfound_tasks.benchmarks.documents import Document, fingerprint
from pixfound_tasks.benchmarks.readers import read_json
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.benchmarks.sources import DataError, Files, file_digest, with_fix_hint
from pixfound_tasks.settings import read_setting

_LISTED = 5  # names in a message


class Check(NamedTuple):
    """What was checked, the result, and what was found. A warning is not a failure."""

    what: str
    status: Literal["ok", "warning", "failed"]
    found: str


def verify(benchmark: str) -> Iterator[Check]:
    """Yield all checks of a benchmark. Skips the checks that need files that are missing.

    Raises ValueError if the name is unknown or an environment variable has an invalid value.
    """
    try:
        with with_fix_hint(benchmark):
            builder = builder_of(benchmark, local_only=True)
    except DataError as error:
        yield Check("files", "failed", str(error))
        return
    if builder.files:
        yield Check("files", "ok", f"{len(builder.files.paths)} from {builder.origin}")
        if not read_setting("PIXFOUND_DATA"):
            yield _downloaded(benchmark, builder.files)
        yield from _annotations(benchmark, builder.files)
    yield from _documents(builder)


def _downloaded(benchmark: str, files: Files) -> Check:
    broken = [file.name for file in downloads.damaged(files.paths.values())]
    if broken:
        listed = ", ".join(broken[:_LISTED]) + f" and {len(broken) - _LISTED} more" * (len(broken) > _LISTED)
        found = f"expected the hub's content, but {listed} differ; run `pixfound data fetch {benchmark}`"
        return Check("content of downloads", "failed", found)
    return Check("content of downloads", "ok", "none is damaged")


def _annotations(benchmark: str, files: Files) -> Iterator[Check]:
    """Check checksums and annotation counts. Skips missing files, which make the documents check fail."""
    known_of = get_benchmark(benchmark).published
    for name, known in known_of.checksums.items():
        if name in files.paths:
            digest = file_digest(files.paths[name])
            differs = f"differs from the version this release was tested with: {digest[:12]}, not {known[:12]}"
            same = digest == known
            yield Check(f"checksum of {name}", "ok" if same else "warning", known[:12] if same else differs)
    for name, count in known_of.annotation_counts.items():
        try:
            with with_fix_hint(benchmark):
                yield _count(f"annotations in {name}", count, _annotation_count(files, name))
        except DataError as error:
            yield Check(f"annotations in {name}", "failed", str(error))


def _annotation_count(files: Files, name: str) -> int:
    content = read_json(files, name)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise DataError(f"expected COCO style annotations in {name}, but there are none: fetch the file again")
    return len(content["annotations"])


def _count(what: str, known: int, found: int) -> Check:
    if found == known:
        return Check(what, "ok", str(found))
    return Check(what, "failed", f"expected {known}, but got {found}")


def _documents(builder: BenchmarkBuilder) -> Iterator[Check]:
    """Check the documents: their counts, their consistency, and that the saved copy is identical."""
    digest = hashlib.sha256()
    kept: list[Document] = []
    try:
        with with_fix_hint(builder.name):
            for document in builder.join():
                digest.update(_content(document))
                kept.append(document if builder.files is None else document._replace(image={}))
    except DataError as error:
        yield Check("documents", "failed", str(error))
        return
    counts, known_of = published.tally(kept), get_benchmark(builder.name).published
    for what, known in known_of.counts.items():
        yield _count(what, known, counts.get(what, 0))
    if "images" not in known_of.counts:
        yield _count("documents", get_benchmark(builder.name).document_count, len(kept))
    if known_of.without_expression is not None:
        yield _without_expression(kept, tuple(known_of.without_expression))
    if known_of.digest is not None:
        same = fingerprint(kept) == known_of.digest
        found = "the same bits as everywhere" if same else "expected the same bits as everywhere, but they differ"
        yield Check("content", "ok" if same else "failed", found)
    yield _consistency(builder, kept)
    yield _saved(builder, digest.hexdigest())


def _content(document: Document) -> bytes:
    return json.dumps(document._replace(image={}), sort_keys=True).encode() + document.image["bytes"]


def _without_expression(documents: Iterable[Document], known: tuple[str, ...]) -> Check:
    ids = tuple(document.id for document in documents if document.expression is None)
    if ids == known:
        return Check("which have no expression", "ok", " ".join(ids))
    return Check("which have no expression", "failed", f"expected {' '.join(known)}, but got {' '.join(ids)}")


def _consistency(builder: BenchmarkBuilder, documents: Iterable[Document]) -> Check:
    try:
        with with_fix_hint(builder.name):
            count = len(list(builder.checked(documents)))
    except DataError as error:
        return Check("consistency", "failed", str(error))
    return Check("consistency", "ok", f"{count} documents hold together")


def _saved(builder: BenchmarkBuilder, digest: str) -> Check:
    place = builder.place
    if not place.is_dir():
        return Check("joined benchmark", "ok", f"not saved yet; `pixfound data fetch {builder.name}` saves it")
    if not cache.is_whole(place) or _saved_digest(builder) != digest:
        found = f"expected {place} to match the benchmark's files, but it differs: remove that folder"
        return Check("joined benchmark", "failed", found)
    return Check("joined benchmark", "ok", str(place))


def _saved_digest(builder: BenchmarkBuilder) -> str:
    from datasets import Image, load_from_disk

    digest = hashlib.sha256()
    for row in load_from_disk(str(builder.place))["test"].cast_column("image", Image(decode=False)):
        digest.update(_content(Document(**row)))
    return digest.hexdigest()
