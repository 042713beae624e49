"""What a benchmark is: one record, which everything else reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixfound_tasks.benchmarks.joining import Joining

SAM = "sam:facebook/sam-vit-huge"  # the segmenter of the study
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class HubFiles:
    """Where a benchmark's files are: in a folder in PIXFOUND_DATA, else on the hub.

    Args:
        folder: the folder's name in PIXFOUND_DATA.
        layout: what belongs into it, for error messages.
        annotations: the data set on the hub whose revision PIXFOUND_REVISION selects.
        repositories: all data sets on the hub, each with the patterns of the files that are needed.
        expected: names or patterns of the files without which the benchmark cannot be joined.
    """

    folder: str
    layout: str
    annotations: str
    repositories: Mapping[str, Sequence[str]]
    expected: Sequence[str]


@dataclass(frozen=True)
class Published:
    """What is known of a benchmark's content; `pixfound data verify` compares it with what is there.

    Args:
        counts: by the names that `published.tally` gives.
        annotation_counts: numbers of COCO annotations by file name.
        checksums: SHA-256 of the annotation files that this release was tested with, by file name.
        digest: `documents.fingerprint` of all documents; None if an image encoder may change it.
        without_expression: the ids of the images that have no expression; None if that is not checked.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    annotation_counts: Mapping[str, int] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None
    without_expression: Sequence[str] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: how its documents are made, and what its tasks and reports have to know of it.

    Args:
        name: the first part of its tasks' names: lower-case letters, digits and underscores.
        title: its name in text.
        joining: the function that gives the documents and the key that they are saved under, or its place as
            "package.module:function". It downloads what is missing, unless its argument `local_only` is true.
        document_count: the number of documents.
        is_paired: whether each two images form a pair with one question and opposite answers.
        segmenter: what turns boxes and points into masks unless PIXFOUND_SEGMENTER says otherwise.
        licence: the terms for an exported copy, as a paragraph.
        licence_id: the hub's identifier of the licence.
        first_index: the number of the first image in files of predictions that are named by number.
        files: where its files are; None if it is drawn by code.
        published: what is known of its content.
        task_folder: the folder of its task YAMLs; None for those that this package ships.

    Raises ValueError for a name of another form.
    """

    name: str
    title: str
    joining: Callable[[bool], Joining] | str
    document_count: int
    is_paired: bool
    segmenter: str
    licence: str
    licence_id: str = "other"
    first_index: int = 1
    files: HubFiles | None = None
    published: Published = Published()
    task_folder: Path | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "expected the name of a benchmark in lower-case letters, digits and underscores, beginning with a "
                f"letter, but got {self.name!r}; rename it"
            )

    def join(self, local_only: bool = False) -> Joining:
        """What `joining` gives; raises DataError if files are missing."""
        if callable(self.joining):
            return self.joining(local_only)
        module, _, function = self.joining.partition(":")
        return getattr(import_module(module), function)(local_only)

    @property
    def unit(self) -> str:
        """What answering is counted by, in the plural."""
        return "pairs" if self.is_paired else "images"
