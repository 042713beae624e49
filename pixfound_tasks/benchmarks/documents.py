"""The documents of all benchmarks, and their conversion to a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from pixfound_tasks.masks import Rle

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, Features

_CHUNK = 64  # documents
# What programs need of `origin`:
# - content: the first 12 hex digits of the SHA-256 of the files; None if there are none
# - answers: which answers count, "original" or "corrected"
# - expressions: "clean", or "authors" if they are written as by the study's code, see `expressions`
# - images: "benchmark", or "original" if they are the photographs that the benchmark's own images were made from
# - variations: "study" if prompts or images are varied by the study's own rules, see `prompts.study_variants`
PROVENANCE: dict[str, str | None] = {
    "content": None, "answers": "original", "expressions": "clean", "images": "benchmark", "variations": None,
}  # fmt: skip


class Document(NamedTuple):
    """One image with its question, its referring expression and the target mask. The fields are the columns."""

    benchmark: str
    id: str  # the image's number
    file: str  # the image's file name
    pair: int | None  # from 0; the two images of a pair share question and expression and have opposite answers
    question: str
    options: list[str]
    options_text: str  # as the benchmark writes them: "(a) Open (b) Closed"
    prompt: str | None  # the benchmark's own wording of question and options; None if it has none
    answer: str  # the letter of the correct option, lower case
    pattern: str  # one of MMVP's nine visual patterns; "" for other benchmarks
    task: str  # CV-Bench's "Count" or "Relation"; "" for other benchmarks
    source: str  # the data set that the image is from, "ADE20K" or "COCO"; "" if there is only one
    expression: str | None  # None if the question is not about an object
    mask: Rle  # of the object that the expression refers to; empty if the object is absent
    width: int  # pixels
    height: int
    origin: str  # the files and revisions that this document was built from, for people to read
    image: dict[str, Any]  # {"bytes": an encoded image, "path": None}
    provenance: dict[str, str | None] = PROVENANCE


@lru_cache
def features() -> Features:
    """Return the columns of a benchmark's data set and their types."""
    from datasets import Features, Image, Value

    return Features({
        "benchmark": Value("string"),
        "id": Value("string"),
        "file": Value("string"),
        "pair": Value("int32"),
        "question": Value("string"),
        "options": [Value("string")],
        "options_text": Value("string"),
        "prompt": Value("string"),
        "answer": Value("string"),
        "pattern": Value("string"),
        "task": Value("string"),
        "source": Value("string"),
        "expression": Value("string"),
        "mask": {"size": [Value("int32")], "counts": Value("string")},
        "width": Value("int32"),
        "height": Value("int32"),
        "origin": Value("string"),
        "image": Image(),
        "provenance": dict.fromkeys(PROVENANCE, Value("string")),
    })  # fmt: skip


def as_dataset(documents: Iterable[Document]) -> DatasetDict:
    """Return the documents as a data set with the split `test`.

    Reads the documents in chunks. If they come from a generator, only one copy of the images is in memory.
    """
    from datasets import Dataset, DatasetDict, concatenate_datasets

    rows = (document._asdict() for document in documents)
    chunks = iter(lambda: list(islice(rows, _CHUNK)), [])
    return DatasetDict(
        {"test": concatenate_datasets([Dataset.from_list(chunk, features=features()) for chunk in chunks])}
    )


def fingerprint(documents: Sequence[Document]) -> str:
    """Return the SHA-256 over the columns before `provenance` and the decoded RGB pixels, however they are encoded."""
    digest = hashlib.sha256()
    for document in documents:
        texts = document._replace(image={})[: Document._fields.index("provenance")]
        digest.update(json.dumps(texts, sort_keys=True).encode())
        digest.update(Image.open(BytesIO(document.image["bytes"])).convert("RGB").tobytes())
    return digest.hexdigest()


class Images(Mapping[str, Image.Image]):
    """The images (RGB) of a data set by document id. Each image is decoded on access."""

    def __init__(self, documents: Dataset) -> None:
        self._images = documents.select_columns("image")
        self._rows = {identifier: row for row, identifier in enumerate(documents["id"])}

    def __getitem__(self, identifier: str) -> Image.Image:
        return self._images[self._rows[identifier]]["image"].convert("RGB")

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
