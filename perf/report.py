"""Measures the cost of a report: `python perf/report.py`.

The program generates runs of the size of PixCV-Bench. Each answer has ten phrases with an attention map and three
candidate masks of 640 x 480 pixels each, and as many random points as a baseline. The images are noise with as much
detail as photographs. `pixfound report` runs in its own process, on one model and on three. The program prints its wall
time, CPU time and peak memory, and the sizes of the logs and of the page. If Chromium and Selenium are installed, it
also prints how long the browser takes to open the page, to draw the gallery's first card, to filter, to sort and to
search.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.response import Candidate, Phrase, PromptedMasks, Response, Selection, coarse_map, to_text

SIZE = (480, 640)
PHRASES, CANDIDATES = 10, 3
MASKS, MAPS, PHOTOS = 400, 64, 48  # number of different ones that images choose from
SENTENCE = "the left part of a wooden chair number {} by the window and"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1438)
    parser.add_argument("--models", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--keep", type=Path, help="folder in which to keep the generated runs and pages")
    parser.add_argument("--once", type=Path, nargs="+", help="report on these runs; used internally")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(report(options.once)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        runs = [make_run(place / f"run{number}", number, options.images) for number in range(max(options.models))]
        for count in options.models:
            compare(runs[:count], options.images)


def compare(runs: list[Path], images: int) -> None:
    command = [sys.executable, __file__, "--once", *map(str, runs)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    logs = sum(file.stat().st_size for run in runs for file in run.rglob("*_samples_*.jsonl"))
    page = runs[0] / "report" / "index.html"
    print(f"\n{len(runs)} x {images} images, {PHRASES * CANDIDATES} candidates each; {logs / 1e6:.0f} MB of samples")
    print(f"pixfound report {found['seconds']:6.1f} s, on processors {found['processor']:.1f} s")
    print(f"peak memory     {found['megabytes']:6.0f} MB")
    print(f"page            {page.stat().st_size / 1e6:6.1f} MB")
    for what, seconds in in_browser(page).items():
        print(f"{what:15} {seconds:6.2f} s")


def report(runs: list[Path]) -> dict[str, float]:
    from typer.testing import CliRunner

    from pixfound_tasks.cli import app as command
    from pixfound_tasks.report.html import pictures

    photos = Photos()
    pictures.load = lambda benchmarks: {"pixcvbench": photos}
    start, processor = time.perf_counter(), time.process_time()
    result = CliRunner().invoke(command.app, ["report", *map(str, runs)])
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    if result.exit_code:
        raise SystemExit(result.output)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "processor": processor, "megabytes": peak}


class Photos(Mapping[str, Image.Image]):
    """An image for every id, decoded on access like a benchmark's images."""

    def __init__(self) -> None:
        self.files = [make_photo(seed) for seed in range(PHOTOS)]

    def __getitem__(self, id: str) -> Image.Image:
        return Image.open(io.BytesIO(self.files[int(id) % PHOTOS])).convert("RGB")

    def __contains__(self, id: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def make_photo(seed: int) -> bytes:
    """Returns a PNG of noise with the spectrum of photographs: its amplitude falls with the frequency."""
    generator = np.random.default_rng(seed)
    across, down = np.meshgrid(np.fft.fftfreq(SIZE[1]), np.fft.fftfreq(SIZE[0]))
    falling = np.maximum(np.hypot(across, down), 1 / max(SIZE)) ** -1.4
    shared, own = generator.normal(size=(1, *SIZE)), generator.normal(size=(3, *SIZE))
    pixels = np.fft.ifft2(np.fft.fft2(shared + 0.3 * own) * falling).real
    pixels = 128 + 60 * pixels / pixels.std()
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def make_run(folder: Path, number: int, images: int) -> Path:
    """Writes what lmms-eval would have logged for a model; the model's number is the random seed."""
    generator = np.random.default_rng(number)
    pool = [blob(generator) for _ in range(MASKS)]
    maps = [coarse_map(cv2.GaussianBlur(generator.random(SIZE), None, 25) - 0.5) for _ in range(MAPS)]
    shared = np.random.default_rng(10_000)
    objects = [blob(shared) for _ in range(MASKS)]
    targets = [objects[image % MASKS] if image % 10 else masks.empty(SIZE) for image in range(images)]
    place = folder / f"maker__model{number}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "20260102_030405_samples_pixcvbench_vqa.jsonl").open("w") as file:
        for image, target in enumerate(targets):
            correct = float(generator.random() < 0.6)
            scores = {"accuracy": correct, "lenient_accuracy": correct, "pair_accuracy": correct, "unparsed": 0.0}
            file.write(json.dumps(sample(image, target, "(A)", scores)) + "\n")
    with (place / "20260102_030405_samples_pixcvbench_ground.jsonl").open("w") as file:
        for image, target in enumerate(targets):
            response = make_response(generator, pool, maps)
            iou = masks.iou(response.prediction(SIZE), target)
            file.write(json.dumps(sample(image, target, to_text(response), {"miou": iou, "unparsed": 0.0})) + "\n")
    return folder


def sample(image: int, target: masks.Rle, response: str, scores: dict[str, float]) -> dict[str, Any]:
    document = {
        "benchmark": "pixcvbench", "id": str(image), "pair": None, "question": f"How many chairs are in image {image}?",
        "options": ["0", "1", "2", "3"], "options_text": "(A) 0 (B) 1 (C) 2 (D) 3", "answer": "a", "pattern": "",
        "expression": "chair", "mask": target, "width": SIZE[1], "height": SIZE[0],
        "task": ("Count", "Relation")[image % 2], "source": ("ADE20K", "COCO")[image % 3 > 0], "origin": "drawn",
    }  # fmt: skip
    # lmms-eval logs every answer twice.
    texts = {"resps": [[response]], "filtered_resps": [response]}
    return {"doc_id": image, "target": "a", "input": "Identify", **texts, **scores, "pixfound": document}


def make_response(generator: np.random.Generator, pool: list[masks.Rle], maps: list[Any]) -> Response:
    def candidates() -> tuple[Candidate, ...]:
        return tuple(Candidate(pool[i], float(generator.random())) for i in generator.integers(MASKS, size=CANDIDATES))

    def point() -> tuple[float, float]:
        return tuple(generator.random(2).tolist())

    phrases, text = [], ""
    for index in range(PHRASES):
        words = SENTENCE.format(index)
        chars = (len(text), len(text) + len(words) - 4)
        spot = (12 * index, 12 * index + 9)
        chosen = maps[generator.integers(MAPS)]
        likeness = float(generator.random())
        phrases.append(Phrase(point(), candidates(), words[:-4], "chair", chars, spot, likeness, chosen))
        text += f"{words} "
    control = tuple(PromptedMasks(point(), candidates()) for _ in range(PHRASES))
    selected = Selection("similarity", 0, 0)
    mask = phrases[0].candidates[0].mask
    return Response(text, (mask,), phrases=tuple(phrases), selected=selected, control=control, tokens=120)


def blob(generator: np.random.Generator) -> masks.Rle:
    """Draws a mask like a segmenter's: a union of ellipses with a rough outline."""
    image = np.zeros(SIZE, np.float32)
    center = generator.uniform(0.3, 0.7, 2) * SIZE[::-1]
    for _ in range(3):
        middle = center + generator.normal(0, 50, 2)
        lengths = tuple(generator.uniform(20, 120, 2).astype(int).tolist())
        cv2.ellipse(image, tuple(middle.astype(int).tolist()), lengths, generator.uniform(0, 180), 0, 360, 1, -1)
    rough = cv2.GaussianBlur(generator.normal(size=SIZE).astype(np.float32), None, 3)
    return masks.encode(cv2.GaussianBlur(image, None, 4) + 1.6 * rough > 0.5)


FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,900")
WHEN_DRAWN = """
    document.getElementById("gallery").scrollIntoView();
    const wait = () => document.querySelector(".card .question") ? arguments[0]() : setTimeout(wait, 5);
    wait();"""
CHANGES = {
    "filter": ("{source: 'COCO'}", "{source: ''}"),
    "sort": ("{sort: 'lowest'}", "{sort: 'id'}"),
    "search": ("{text: 'image 7'}", "{text: ''}"),
    "compare": ("{mode: 'compare', sort: 'disagreement'}", "{mode: 'cards', sort: 'id'}"),
}
PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
TIMED = "const start = performance.now(); set(%s); document.body.offsetHeight; return performance.now() - start;"


def in_browser(page: Path) -> dict[str, float]:
    """Returns the seconds that each action on the page takes; empty if there is no browser."""
    binary, service = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (binary and service and importlib.util.find_spec("selenium")):
        return {}
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    with webdriver.Chrome(options, webdriver.ChromeService(service)) as driver:
        driver.set_script_timeout(120)
        start = time.perf_counter()
        driver.get(page.resolve().as_uri())
        found = {"opened": time.perf_counter() - start}
        found["first content"] = driver.execute_script(PAINTED) / 1000
        start = time.perf_counter()
        driver.execute_async_script(WHEN_DRAWN)
        found["first card"] = time.perf_counter() - start
        for what, states in CHANGES.items():
            found[what] = median(driver.execute_script(TIMED % state) for state in states * 3) / 1000
        return found


if __name__ == "__main__":
    main()
