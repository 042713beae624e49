"""The record that describes a benchmark. All other modules read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pixfound_tasks.benchmarks.build import BenchmarkBuilder

SAM = "sam:facebook/sam-vit-huge"  # the segmenter that the PixFoundation study uses
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class HubFiles:
    """The location of a benchmark's files: a folder in PIXFOUND_DATA if that is set, otherwise the hub.

    Args:
        folder: the folder's name in PIXFOUND_DATA.
        layout: the files that belong in this folder, for error messages.
        annotations: the hub data set whose revision PIXFOUND_REVISION selects.
        repositories: all hub data sets, each with the patterns of the files that are needed.
        expected: the names or patterns of all files that are needed to build the benchmark.
    """

    folder: str
    layout: str
    annotations: str
    repositories: Mapping[str, Sequence[str]]
    expected: Sequence[str]


@dataclass(frozen=True)
class Published:
    """The published content of a benchmark. `pixfound data verify` compares the local files with it.

    Args:
        counts: expected counts, by the names that `published.tally` returns.
        annotation_counts: the number of COCO annotations, by file name.
        checksums: the SHA-256 of the annotation files that this release was tested with, by file name.
        digest: the `documents.fingerprint` of all documents. None if image libraries may decode other pixels.
        without_expression: the ids of the images without a referring expression. None if they are not checked.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    annotation_counts: Mapping[str, int] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None
    without_expression: Sequence[str] | None = None


class Emerged(NamedTuple):
    """When grounding emerged in a published model's answers: histograms over images, as counts.

    `model` is its name. `tenths` counts the best phrases that begin in each tenth of the answer, by characters.
    `concepts` counts what they are about, by the names of `analysis.concepts.CONCEPTS`.
    """

    model: str
    tenths: tuple[int, ...]
    concepts: Mapping[str, int]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: how its documents are built, and what its tasks and reports need to know.

    Args:
        name: the first part of its task names. It begins with a lower-case letter and contains only lower-case
            letters, digits and underscores.
        title: its name in prose.
        builder: a function that takes `local_only` and returns a `BenchmarkBuilder`, or its location as
            "package.module:function". It downloads missing files unless `local_only` is true.
        document_count: the number of documents.
        is_paired: whether images come in pairs that share a question and have opposite answers.
        paper_rule: how the `paper` rule reads an answer to a choice question: one of `response.option.PAPER_RULES`.
        has_sources: whether the images come from several data sets, over whose scores a mean is taken, too.
        segmenter: turns boxes and points into masks, unless PIXFOUND_SEGMENTER selects another one.
        licence: the license terms for an exported copy, as a paragraph.
        licence_id: the hub's identifier of the license.
        first_index: the number of the first image in prediction files that are named by number.
        files: the location of its files. None if the benchmark is drawn by code.
        published: its published content.
        emerged: histograms of published models, which reports draw beside a run's.
        emerged_source: where they are from, as the end of a sentence.
        task_folder: the folder of its task YAMLs. None for the benchmarks that this package ships.

    Raises ValueError if the name has another form.
    """

    name: str
    title: str
    builder: Callable[[bool], BenchmarkBuilder] | str
    document_count: int
    is_paired: bool
    segmenter: str
    licence: str
    licence_id: str = "other"
    paper_rule: str = "letter or text"
    has_sources: bool = False
    first_index: int = 1
    files: HubFiles | None = None
    published: Published = Published()
    emerged: tuple[Emerged, ...] = ()
    emerged_source: str = ""
    task_folder: Path | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "expected the name of a benchmark in lower-case letters, digits and underscores, beginning with a "
                f"letter, but got {self.name!r}; rename it"
            )

    def join(self, local_only: bool = False) -> BenchmarkBuilder:
        """Call `builder` and return its result. Raises DataError if files are missing."""
        if callable(self.builder):
            return self.builder(local_only)
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)(local_only)

    @property
    def unit(self) -> str:
        """The unit that answers are counted in, in the plural: "pairs" or "images"."""
        return "pairs" if self.is_paired else "images"
