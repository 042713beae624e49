"""PixMini: 120 drawn scenes in 60 pairs, built into this package."""

from pixfound_tasks.benchmarks.benchmark import Benchmark, Published

BENCHMARK = Benchmark(
    name="pixmini",
    title="PixMini",
    builder="pixfound_tasks.benchmarks.pixmini:builder",
    document_count=120,
    is_paired=True,
    segmenter="region",
    licence="Drawn by the code of pixfound-tasks, Apache-2.0.",
    licence_id="apache-2.0",
    published=Published(
        counts={"images": 120, "pairs": 60, "images with an empty mask": 7},
        digest="8589296cc0b2ef5c5a537f2273f9b52a25f50c702e02c9c0efcbb4cbd00f6e46",
    ),
)
