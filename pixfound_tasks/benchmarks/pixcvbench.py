"""PixCV-Bench: the 2D part of CV-Bench, with referring expressions and masks (arXiv 2502.04192)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.benchmarks import cvbench, segmentations
from pixfound_tasks.benchmarks.build import BenchmarkBuilder, content_key, with_provenance
from pixfound_tasks.benchmarks.documents import PROVENANCE, Document
from pixfound_tasks.benchmarks.expressions import (
    AUTHORS,
    CLEAN,
    authors_expression,
    authors_names,
    expression,
    read_names,
    selected_expressions,
)
from pixfound_tasks.benchmarks.readers import Row, image_size, read_table
from pixfound_tasks.benchmarks.records.pixcvbench import (
    ANNOTATIONS,
    FOLDER,
    IMAGE_FOLDERS,
    LAYOUT,
    QUESTIONS,
    REPOSITORIES,
    SEGMENTATIONS,
    SOURCES,
)
from pixfound_tasks.benchmarks.sources import (
    DataError,
    Files,
    by_name,
    download,
    expect_published,
    local_folder,
    requested_revision,
)
from pixfound_tasks.settings import read_setting


class Counts(NamedTuple):
    """Counts of images, of images from ADE20K, and of images with an empty mask.

    The images from ADE20K have the lowest numbers. All others are from COCO.
    """

    images: int
    from_ade20k: int
    empty_masks: int


PUBLISHED_COUNTS = Counts(images=1438, from_ade20k=633, empty_masks=1)


def builder(local_only: bool = False) -> BenchmarkBuilder:
    """Return how PixCV-Bench is built, with the expressions that PIXFOUND_EXPRESSIONS names.

    Raises ValueError if it has an invalid value, and DataError if files are missing.
    """
    expressions = selected_expressions()
    files = find(local_only)
    digest = files.digest()
    origin = f"{files.origin}, content {digest[:12]}"
    origin += "" if expressions == CLEAN else f", expressions of the {expressions}"

    def build() -> Iterator[Document]:
        return with_provenance(join(files, origin, expressions), digest, expressions=expressions)

    key = content_key(digest, origin)
    return BenchmarkBuilder("pixcvbench", origin, files, key, build, lambda them: checked(them, PUBLISHED_COUNTS))


def find(local_only: bool = False) -> Files:
    """Find the files in PIXFOUND_DATA if that is set, otherwise on the hub.

    PIXFOUND_REVISION selects the revision of the annotations on the hub. If PIXFOUND_PHOTOGRAPHS is set, its
    photographs are among the files. Raises DataError if a folder or a data set is missing.
    """
    files = _find(local_only)
    photographs = read_setting("PIXFOUND_PHOTOGRAPHS")
    if not photographs:
        return files
    folder = Path(photographs).expanduser()
    listed = {PurePosixPath(row["file"]).name for row in _objects(files)}
    found = {name: path for name, path in _image_files(folder).items() if path.name in listed}
    if missing := sorted(listed - {path.name for path in found.values()}):
        raise DataError(
            f"expected {missing[0]} in {' or '.join(IMAGE_FOLDERS.values())} of PIXFOUND_PHOTOGRAPHS={photographs}, "
            f"but {len(missing)} of {len(listed)} photographs are missing; put them there, or unset "
            "PIXFOUND_PHOTOGRAPHS to use the images of CV-Bench"
        )
    place = f"{files.place} and {folder}"
    return replace(files, origin=f"{files.origin}, original photographs", place=place, paths=files.paths | found)


def _find(local_only: bool) -> Files:
    folder = local_folder(FOLDER, LAYOUT)
    if folder:
        # The hub splits CV-Bench into several files. A local test.parquet holds all of it.
        whole = folder / "CV-Bench" / "test.parquet"
        questions = [whole] if whole.is_file() else list(filter(cvbench.holds_part, whole.parent.glob("*.parquet")))
        found = _annotation_files(folder) | by_name(questions)
        if not all(map(cvbench.embeds_images, questions)):
            found |= _image_files(folder)
        return Files(folder.name, str(folder), LAYOUT, found)
    folder = download(ANNOTATIONS, REPOSITORIES[ANNOTATIONS], requested_revision("pixcvbench"), local_only)
    revision, questions = cvbench.fetch(local_only)
    origin = f"{ANNOTATIONS} @ {folder.name}, {QUESTIONS} @ {revision}"
    place = f"the data sets {ANNOTATIONS} and {QUESTIONS}"
    return Files(origin, place, LAYOUT, _annotation_files(folder) | by_name(questions))


def _annotation_files(folder: Path) -> dict[str, Path]:
    paths = [path for path in folder.rglob("*") if path.name in ("Objects.csv", SEGMENTATIONS)]
    return by_name(paths, partial(segmentations.name_in, folder))


def _image_files(folder: Path) -> dict[str, Path]:
    return {
        f"{source}/{path.name}": path
        for source, place in IMAGE_FOLDERS.items()
        for path in (folder / place).glob("*")
        if path.is_file()
    }


def _objects(files: Files) -> list[Row]:
    return read_table(files, "Objects.csv", ("file", "Objects"), index="Id", first=0)


def join(files: Files, origin: str = "", expressions: str = CLEAN) -> Iterator[Document]:
    """Yield the documents in the order of CV-Bench's rows. Raises DataError if a file is missing or invalid.

    A photograph among the files is used instead of CV-Bench's image. `expressions` is a value of PIXFOUND_EXPRESSIONS.
    """
    objects = _objects(files)
    listed = {source: segmentations.read(files, source) for source in SOURCES}
    questions = [name for name in sorted(files.paths) if name.endswith(".parquet")] or ["test.parquet"]
    for name in questions:
        for row in cvbench.read_rows(files.path(name)):
            source, file = row["source"], PurePosixPath(row["source_filename"]).name
            where = f"row {row['idx']} of {name}"
            if source not in SOURCES or file not in listed[source]:
                expected = f"an image of {' or '.join(SOURCES)} that is listed in its {SEGMENTATIONS}"
                raise DataError(f"expected {expected} in {where}, but got {file!r} of {source}: fetch both again")
            is_original = f"{source}/{file}" in files.paths or not row["image"]
            image = files.read(f"{source}/{file}") if is_original else row["image"]
            size = image_size(image, f"{where} ({file})")
            mask = segmentations.mask(listed[source][file], size[::-1], f"{file} in {source}/{SEGMENTATIONS}")
            names = _object(objects, row["idx"], file, where)
            referring = _expression(names, where, row["prompt"], expressions)
            document = _document(row, where, referring, mask, image, origin)
            yield document._replace(provenance=PROVENANCE | {"images": "original"}) if is_original else document


def _object(objects: Sequence[Row], number: int, file: str, where: str) -> str:
    """Return the object names in this row of Objects.csv. Raises DataError if the row is about another image."""
    about = PurePosixPath(objects[number]["file"]).name if 0 <= number < len(objects) else None
    if about != file:
        raise DataError(f"expected Objects.csv to be about {file} in {where}, but got {about}: fetch both again")
    return objects[number]["Objects"]


def _expression(names: str, where: str, prompt: str, expressions: str) -> str:
    parsed = read_names(names, where)
    if expressions == AUTHORS:
        return authors_expression(authors_names(names), prompt)
    return expression(parsed, prompt)


def _document(row: cvbench.Row, where: str, referring: str, mask: masks.Rle, image: bytes, origin: str) -> Document:
    choices = list(map(str, row["choices"]))
    height, width = mask["size"]
    return Document(
        benchmark="pixcvbench",
        id=str(row["idx"]),
        file=PurePosixPath(row["source_filename"]).name,
        pair=None,
        question=row["question"],
        options=choices,
        options_text=" ".join(f"({chr(ord('A') + index)}) {choice}" for index, choice in enumerate(choices)),
        prompt=row["prompt"],
        answer=_answer(row["answer"], len(choices), where),
        pattern="",
        task=row["task"],
        source=row["source"],
        expression=referring,
        mask=mask,
        width=width,
        height=height,
        origin=origin,
        image={"bytes": image, "path": None},
    )


def _answer(written: str, choices: int, where: str) -> str:
    """Return the letter of the correct option in lower case: "a" if `written` is "(A)"."""
    letters = [chr(ord("A") + index) for index in range(choices)]
    if written not in [f"({letter})" for letter in letters]:
        raise DataError(
            f"expected an answer like '(A)' among {letters} in {where}, but got {written!r}: fetch it again"
        )
    return written[1].lower()


def checked(documents: Iterable[Document], counts: Counts) -> Iterator[Document]:
    """Yield the documents unchanged. Raises DataError after the last one unless they match `counts`."""
    numbers, from_ade20k, empty_masks = [], [], 0
    for document in documents:
        number = int(document.id)
        numbers.append(number)
        from_ade20k += [number] if document.source == "ADE20K" else []
        empty_masks += masks.area(document.mask) == 0
        yield document
    doubled = sorted(number for number, times in Counter(numbers).items() if times > 1)
    _expect(not doubled, "every idx once", f"several rows of idx {doubled[:5]}")
    found = Counts(len(numbers), len(from_ade20k), empty_masks)
    _expect(found == counts, str(counts), str(found))
    _expect(sorted(numbers) == list(range(counts.images)), f"idx 0 to {counts.images - 1}", f"idx up to {max(numbers)}")
    highest = max(from_ade20k)
    _expect(highest < counts.from_ade20k, f"images of ADE20K up to idx {counts.from_ade20k - 1}", f"one at {highest}")


def _expect(holds: bool, expected: str, got: str) -> None:
    data_sets = f"the annotations from the data set {ANNOTATIONS}, images and questions from {QUESTIONS}"
    expect_published(holds, expected, got, "PixCV-Bench", data_sets)
