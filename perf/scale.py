"""Estimates how long a benchmark takes on many GPUs: `python perf/scale.py --model-factor 20 --image 0.3 --point 0.01`.

The estimate is a formula whose constants are measured on the embedded model and its segmenter:

    hours = (start + ceil(documents / GPUs) * (choice + grounded)) / 3600
    choice = model * (prompt + token)
    grounded = model * (prompt + tokens * token) + image + 2 * points * point

All constants are in seconds. `start` is the time of a run outside its answers. `prompt` is the time to the first token
of an answer, and `token` the time per further token, both with attention recorded. `image` and `point` are the
segmenter's time per image and per point; the random-point baseline doubles the number of points. `tokens` and `points`
are the numbers per answer. A choice question is answered in one token and is not grounded. `model` says how many times
slower your model is on your GPU than the embedded model here: divide the tokens per second that this program prints by
those that lmms-eval prints after a run of your model with `--limit 8`. Every constant can be given as an option instead
of being measured. The time of judges is not included.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks import Lens, mini
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.grounding.segmenters.base import make_segmenter
from pixfound_tasks.mini.calibration import calibration_scenes

GPUS = (1, 8, 64)
BENCHMARKS = ("pixmmvp", "pixcvbench")
_POINTS = 8  # points per measurement


class Constants(NamedTuple):
    """Seconds per run, per first token, per further token, per image of the segmenter, and per point of it."""

    start: float
    prompt: float
    token: float
    image: float
    point: float


class Work(NamedTuple):
    """How many times slower the model is, and the numbers of tokens and points per answer."""

    model: float = 1.0
    tokens: float = 64.0
    points: float = 4.0


def hours(constants: Constants, work: Work, documents: int, gpus: int) -> float:
    """Returns the estimated hours for a benchmark's choice questions and referring expressions, by the formula."""
    choice = work.model * (constants.prompt + constants.token)
    answer = work.model * (constants.prompt + work.tokens * constants.token)
    masks = constants.image + 2 * work.points * constants.point
    return (constants.start + math.ceil(documents / gpus) * (choice + answer + masks)) / 3600


def measure(rounds: int) -> Constants:
    """Measures the constants on one thread, as medians over rendered scenes."""
    torch.set_num_threads(1)
    images, prompts = calibration_scenes(rounds)
    folder = mini.weights_folder()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()
    lens = Lens(model, AutoProcessor.from_pretrained(folder))
    segmenter = make_segmenter("region", "cpu")
    points = [(float(x), float(y)) for x, y in np.random.RandomState(0).random_sample((_POINTS, 2))]
    lens.look(images[0], prompts[0])  # warm-up: do everything that happens only once
    firsts, tokens, encodings, masks = [], [], [], []
    for image, prompt in zip(images, prompts):
        firsts.append(seconds(lambda: lens.look(image, prompt, max_new_tokens=1)))  # noqa: B023
        start = time.perf_counter()
        length = len(lens.look(image, prompt, min_new_tokens=12, max_new_tokens=12).token_chars)
        tokens.append((time.perf_counter() - start - firsts[-1]) / (length - 1))
        encodings.append(seconds(lambda: segmenter.set_image(np.asarray(image))))  # noqa: B023
        masks.append(seconds(lambda: segmenter.segment(points)) / _POINTS)
    return Constants(run_seconds() - firsts[-1], *map(statistics.median, (firsts, tokens, encodings, masks)))


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def run_seconds() -> float:
    """Returns the seconds that lmms-eval takes for one document."""
    program = Path(sys.executable).with_name("lmms-eval")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--tasks", "pixmini_vqa", "--limit", "1", "--output_path", folder]
        arguments = [program, "--model", "pixfound", "--model_args", f"pretrained={mini.NAME}", *options]
        return seconds(lambda: subprocess.run(arguments, check=True, capture_output=True))


def table(constants: Constants, work: Work) -> list[str]:
    """Returns the lines of a Markdown table of hours."""
    lines = [
        f"| benchmark | documents | {' | '.join(f'{gpus} GPU' for gpus in GPUS)} |",
        "|---" * (2 + len(GPUS)) + "|",
    ]
    for name in BENCHMARKS:
        documents = get_benchmark(name).document_count
        cells = [f"{hours(constants, work, documents, gpus):.3g} h" for gpus in GPUS]
        lines.append(f"| {name} | {documents} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=16)
    for name, default in Work()._asdict().items():
        option = "--model-factor" if name == "model" else f"--{name}"
        parser.add_argument(option, dest=name, type=float, default=default)
    for name in Constants._fields:
        parser.add_argument(f"--{name}", type=float, help="seconds; default: measured")
    options = parser.parse_args()
    given = {name: getattr(options, name) for name in Constants._fields if getattr(options, name) is not None}
    constants = measure(options.rounds)._replace(**given)
    work = Work(*(getattr(options, name) for name in Work._fields))
    print(f"torch {torch.__version__}, 1 CPU thread, medians of {options.rounds}")
    print(", ".join(f"{name} {value:.4f} s" for name, value in constants._asdict().items()))
    speed = work.tokens / (constants.prompt + (work.tokens - 1) * constants.token)
    print(f"{speed:.1f} tokens a second in answers of {work.tokens:g}")
    print(f"\nAn estimate, for {', '.join(f'{name} {value:g}' for name, value in work._asdict().items())}:\n")
    print(*table(constants, work), sep="\n")


if __name__ == "__main__":
    main()
