"""What a document of any benchmark holds, and documents as a data set."""

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


class Document(NamedTuple):
    """One image with its question and its referring expression. The fields are the data set's columns."""

    benchmark: str
    id: str  # the image's number
    file: str  # the image's own file name
    pair: int | None  # counted from 0; the two images of a pair share question and expression, answers are opposite
    question: str
    options: list[str]
    options_text: str  # as the benchmark writes them: "(a) Open (b) Closed"
    prompt: str | None  # the benchmark's own wording of question and options, where it has one
    answer: str  # the right option's letter, lower case
    pattern: str  # one of MMVP's nine visual patterns; "" where there are none
    task: str  # of CV-Bench, "Count" or "Relation"; "" elsewhere
    source: str  # the data set the image is from, "ADE20K" or "COCO"; "" where there is only one
    expression: str | None  # None where no object is asked about
    mask: Rle  # what the expression refers to; empty where that is absent
    width: int  # pixels
    height: int
    origin: str  # the files and revisions this was joined from, for people
    image: dict[str, Any]  # {"bytes": an encoded image, "path": None}


@lru_cache
def features() -> Features:
    """The columns of a benchmark's data set and their types."""
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
    })  # fmt: skip


def as_dataset(documents: Iterable[Document]) -> DatasetDict:
    """The documents as split `test`.

    They are taken a few at a time: where they come one by one, their images are in memory once.
    """
    from datasets import Dataset, DatasetDict, concatenate_datasets

    rows = (document._asdict() for document in documents)
    chunks = iter(lambda: list(islice(rows, _CHUNK)), [])
    return DatasetDict(
        {"test": concatenate_datasets([Dataset.from_list(chunk, features=features()) for chunk in chunks])}
    )


def fingerprint(documents: Sequence[Document]) -> str:
    """SHA-256 over all columns and the images' pixels, whatever the encoder made of the pixels."""
    digest = hashlib.sha256()
    for document in documents:
        texts = document._replace(image={})
        digest.update(json.dumps(texts, sort_keys=True).encode())
        digest.update(Image.open(BytesIO(document.image["bytes"])).convert("RGB").tobytes())
    return digest.hexdigest()


class Images(Mapping[str, Image.Image]):
    """The images of a data set by document id, RGB, decoded one by one as they are asked for."""

    def __init__(self, documents: Dataset) -> None:
        self._images = documents.select_columns("image")
        self._rows = {identifier: row for row, identifier in enumerate(documents["id"])}

    def __getitem__(self, identifier: str) -> Image.Image:
        return self._images[self._rows[identifier]]["image"].convert("RGB")

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
