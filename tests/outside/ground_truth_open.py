"""A benchmark of another package: twelve drawn images without pairs, with a name that holds names of protocols."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.build import BenchmarkBuilder, from_documents
from pixfound_tasks.benchmarks.documents import Document
from pixfound_tasks.masks import encode

NAME = "ground_truth_open"
COUNT = 12
COLORS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 160, 30)}


def builder(local_only: bool = False) -> BenchmarkBuilder:
    return from_documents([document(number) for number in range(COUNT)])


def document(number: int) -> Document:
    """A cup of one color, seen from above, on the left or on the right; the last image has none."""
    color, is_left = list(COLORS)[number % len(COLORS)], number % 2 == 0
    rows, columns = np.ogrid[:112, :112]
    distance = np.hypot(rows - 56, columns - (28 if is_left else 84))
    mask = (distance < 18) & (number < COUNT - 1)
    pixels = np.full((112, 112, 3), 235, np.uint8)
    pixels[mask] = COLORS[color]
    pixels[mask & (distance < 13)] = (92, 58, 34)  # coffee
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Document(
        benchmark=NAME,
        id=str(number),
        file=f"{number}.png",
        pair=None,
        question="On which side is the cup?",
        options=["left", "right"],
        options_text="(a) left (b) right",
        prompt=None,
        answer="a" if is_left else "b",
        pattern="",
        task="",
        source="",
        expression=f"the {color} cup",
        mask=encode(mask),
        width=112,
        height=112,
        origin="drawn",
        image={"bytes": buffer.getvalue(), "path": None},
    )


BENCHMARK = Benchmark(
    name=NAME,
    title="Ground Truth, Open",
    builder=builder,
    document_count=COUNT,
    is_paired=False,
    segmenter="region",
    licence="CC0.",
    licence_id="cc0-1.0",
    first_index=0,
    task_folder=Path(__file__).with_name("task_yamls"),
)
