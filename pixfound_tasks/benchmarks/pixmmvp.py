"""PixMMVP: the 300 images and questions of MMVP, with referring expressions and masks (arXiv 2502.04192)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pixfound_tasks import masks
from pixfound_tasks.benchmarks.build import BenchmarkBuilder, content_key, with_provenance
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.benchmarks.expressions import AUTHORS, CLEAN, selected_expressions
from pixfound_tasks.benchmarks.readers import Row, read_image, read_json, read_table
from pixfound_tasks.benchmarks.records.pixmmvp import (
    ANNOTATION_FILES,
    ANNOTATIONS,
    FOLDER,
    IMAGES,
    LAYOUT,
    REPOSITORIES,
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
from pixfound_tasks.choices import check_choice
from pixfound_tasks.masks import Rle
from pixfound_tasks.settings import read_setting

ANSWERS = ("original", "corrected")
# MMVP was published with the answers of these two pairs swapped. Some copies are corrected, and a copy does not say
# whether it is. So these answers are fixed here and not read from the copy.
PUBLISHED_ANSWERS = {"99": "a", "100": "b", "279": "a", "280": "b"}


class Counts(NamedTuple):
    """Counts of images, of pairs, of images without an expression, and of images with an empty mask."""

    images: int
    pairs: int
    without_expression: int
    empty_masks: int


PUBLISHED_COUNTS = Counts(images=300, pairs=150, without_expression=14, empty_masks=53)


def builder(local_only: bool = False) -> BenchmarkBuilder:
    """Return how PixMMVP is built, with the answers and expressions that the settings name.

    Raises ValueError if PIXFOUND_ANSWERS or PIXFOUND_EXPRESSIONS has an invalid value, and DataError if files are
    missing.
    """
    answers, expressions = read_setting("PIXFOUND_ANSWERS"), selected_expressions()
    check_answers(answers)
    files = find(local_only)
    digest = files.digest()
    origin = f"{files.origin}, content {digest[:12]}" + ("" if answers == "original" else f", {answers} answers")
    origin += "" if expressions == CLEAN else f", expressions of the {expressions}"

    def build() -> Iterator[Document]:
        documents = join(files, answers, origin, expressions)
        return with_provenance(documents, digest, answers=answers, expressions=expressions)

    return BenchmarkBuilder("pixmmvp", origin, files, content_key(digest, origin), build, _verified)


def check_answers(answers: str) -> None:
    """Raise ValueError unless this is a valid value of PIXFOUND_ANSWERS."""
    check_choice("PIXFOUND_ANSWERS", answers, ANSWERS)


def find(local_only: bool = False) -> Files:
    """Find the files in PIXFOUND_DATA if that is set, otherwise on the hub.

    PIXFOUND_REVISION selects the revision of the annotations on the hub. Raises DataError if the folder or a data set
    is missing.
    """
    folder = local_folder(FOLDER, LAYOUT)
    if folder:
        tables = [folder / name for name in ("Questions.csv", *ANNOTATION_FILES)]
        paths = [*filter(Path.is_file, tables), *(folder / "MMVP Images").glob("*.jpg")]
        return Files(folder.name, str(folder), LAYOUT, by_name(paths))
    revision = requested_revision("pixmmvp")
    annotations = download(ANNOTATIONS, REPOSITORIES[ANNOTATIONS], revision, local_only)
    images = download(IMAGES, REPOSITORIES[IMAGES], None, local_only)
    paths = [path for path in annotations.rglob("*") if path.name in ANNOTATION_FILES]
    paths += [path for path in images.rglob("*") if path.name == "Questions.csv" or path.suffix == ".jpg"]
    origin = f"{ANNOTATIONS} @ {annotations.name}, {IMAGES} @ {images.name}"
    return Files(origin, f"the data sets {ANNOTATIONS} and {IMAGES}", LAYOUT, by_name(paths))


def join(files: Files, answers: str = "original", origin: str = "", expressions: str = CLEAN) -> list[Document]:
    """Return the documents in the order of their numbers, one for each row of the tables.

    If `expressions` is "authors", expressions are as in Objects.csv, with blanks before and after them.

    Raises DataError if a file is missing or invalid, or if the tables differ in length.
    """
    tables = {
        "Questions.csv": ("Question", "Options", "Correct Answer"),
        "Objects.csv": ("Object",),
        "visual_patterns.csv": ("Pattern",),
    }
    rows = {name: read_table(files, name, columns) for name, columns in tables.items()}
    lengths = {name: len(table) for name, table in rows.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"expected tables of equal length, but got {lengths} rows: fetch the shorter ones again")
    targets = _targets(files)
    return [
        _document(files, number, parts[0] | parts[1] | parts[2], targets, answers, origin, expressions)
        for number, parts in enumerate(zip(*rows.values()), 1)
    ]


def _targets(files: Files) -> dict[str, Rle]:
    """Return each image's ground-truth mask, the union of its polygons, by image number.

    The file's `area` is that of the bounding box and is not used.
    """
    segmentations = read_json(files, "Segmentations.json")
    polygons: defaultdict[int, list[Any]] = defaultdict(list)
    try:
        for annotation in segmentations["annotations"]:
            polygons[annotation["image_id"]] += annotation["segmentation"]
        return {
            Path(image["file_name"]).stem: masks.from_polygons(polygons[image["id"]], (image["height"], image["width"]))
            for image in segmentations["images"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "expected COCO style images, annotations and polygons in Segmentations.json, but got "
            f"{type(error).__name__}: {error}: fetch the file again"
        ) from error


def _document(
    files: Files, number: int, row: Row, targets: dict[str, Rle], answers: str, origin: str, expressions: str
) -> Document:
    identifier = str(number)
    if identifier not in targets:
        raise DataError(f"expected {number}.jpg in Segmentations.json, but it is not there: fetch the file again")
    height, width = targets[identifier]["size"]
    expression = row["Object"].strip()
    return Document(
        benchmark="pixmmvp",
        id=identifier,
        file=f"{number}.jpg",
        pair=(number - 1) // 2,
        question=row["Question"],
        options=parse_options(row["Options"]),
        options_text=row["Options"],
        prompt=None,
        answer=correct_answer(identifier, row["Correct Answer"], answers),
        pattern=row["Pattern"],
        task="",
        source="",
        expression=None if expression == "None" else row["Object"] if expressions == AUTHORS else expression,
        mask=targets[identifier],
        width=width,
        height=height,
        origin=origin,
        image={"bytes": read_image(files, f"{number}.jpg", (width, height)), "path": None},
    )


def parse_options(text: str) -> list[str]:
    """Return the options in text such as "(a) Open (b) Closed", stripped. Raises DataError for any other form."""
    before, *parts = re.split(r"\(([a-e])\)", text)
    letters, options = "".join(parts[::2]), [option.strip() for option in parts[1::2]]
    if before.strip() or len(options) < 2 or not "abcde".startswith(letters) or not all(options):
        raise DataError(f"expected options like '(a) Open (b) Closed', but got {text!r}: fetch Questions.csv again")
    return options


def correct_answer(identifier: str, written: str, answers: str) -> str:
    """Return the letter of the correct option: "a" if `written` is "(a)".

    For the two mislabeled pairs the letter comes from `PUBLISHED_ANSWERS` and not from `written`.
    """
    published = PUBLISHED_ANSWERS.get(identifier)
    if published and answers == "corrected":
        return {"a": "b", "b": "a"}[published]
    return published or written.strip().strip("()").lower()


def _verified(documents: Iterable[Document]) -> Sequence[Document]:
    documents = list(documents)
    check(documents, PUBLISHED_COUNTS)
    return documents


def check(documents: Sequence[Document], counts: Counts) -> None:
    """Raise DataError unless the documents match `counts` and every pair is consistent.

    The images of a pair share question, options and expression. One answer is "a" and the other "b". If a pair has no
    expression, its masks are empty.
    """
    found = Counts(
        images=len(documents),
        pairs=len({document.pair for document in documents}),
        without_expression=sum(document.expression is None for document in documents),
        empty_masks=sum(masks.area(document.mask) == 0 for document in documents),
    )
    _expect(found == counts, str(counts), str(found))
    for first, second in zip(documents[::2], documents[1::2]):
        _check_pair(first, second)


def _check_pair(first: Document, second: Document) -> None:
    where = f"images {first.id} and {second.id}"
    for field in ("question", "options", "expression"):
        values = [getattr(document, field) for document in (first, second)]
        _expect(values[0] == values[1], f"the same {field} for {where}", f"{values[0]!r} and {values[1]!r}")
    answers = first.answer, second.answer
    _expect(set(answers) == {"a", "b"}, f"one answer a and one b for {where}", " and ".join(map(repr, answers)))
    if first.expression is None:
        areas = [masks.area(document.mask) for document in (first, second)]
        _expect(not any(areas), f"empty masks for {where}, which have no expression", f"areas {areas}")


def _expect(holds: bool, expected: str, got: str) -> None:
    data_sets = f"the annotations from the data set {ANNOTATIONS}, images and questions from {IMAGES}"
    expect_published(holds, expected, got, "PixMMVP", data_sets)
