"""Checks every image-text-to-text architecture of the installed transformers: `python perf/coverage_models.py`.

Each architecture is built in miniature: its real model class with random weights, and its real processor class. The
program then finds the places of its image tokens, proves them by changed regions of the image, records a generation,
compares the rows with eager attention, and does so for one image, a batch and several images in a prompt. It prints a
table, and with `--write` puts it into docs/coverage.md. Every architecture runs in its own process: one that crashes
or hangs becomes a row with the reason. The exit status is 1 if something recorded or some place is wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # instead of this folder, whose attention.py has the name of a folder there
sys.path.insert(1, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from attention.zoo import zoo_build, zoo_names, zoo_regions, zoo_rows  # noqa: E402
from loguru import logger  # noqa: E402

from perf.coverage_table import document  # noqa: E402
from pixfound_tasks import Lens  # noqa: E402
from pixfound_tasks.attention.geometry_source import GeometrySource  # noqa: E402

TOLERANCE = 1e-5
SIZES = ((100, 70), (61, 150))  # (height, width)


@dataclass
class Row:
    """What is known of one architecture. None where it was not found out; `faults` are what is wrong."""

    name: str
    geometry: str = ""
    regions: int = 0
    layers: str = ""
    difference: float | None = None
    same_ids: bool | None = None
    batch: float | None = None
    images: str = ""
    lens: str = ""
    note: str = ""
    reason: str = ""
    faults: tuple[str, ...] = ()


def examine(name: str) -> Row:
    """Build an architecture, and find out all that a row tells."""
    row = Row(name)
    if name in zoo_names.NO_IMAGES:
        row.reason = zoo_names.NO_IMAGES[name]
        return row
    if name not in (*zoo_build.NAMES, *zoo_build.VARIANTS):
        row.reason = "no miniature of it here yet"
        return row
    toy = zoo_build.build(name)
    row.note = toy.note
    for find_out in (find_rows, find_geometry, find_lens):
        try:
            find_out(toy, row)
        except Exception as error:
            setattr(row, PLACE[find_out], because(error))
    return row


def find_rows(toy: zoo_build.Toy, row: Row) -> None:
    """Compare recorded rows with eager attention: one image, a batch, several images in a prompt."""
    one = zoo_rows.compare_rows(toy, *zoo_rows.ONE)
    row.images, row.difference, row.same_ids = "1", one.difference, one.same_ids
    row.layers = ", ".join(map(str, one.layers))
    both = zoo_rows.compare_rows(toy, *zoo_rows.BATCH)
    verdicts = [one, both]
    singles = [zoo_rows.compare_rows(toy, [sizes], [prompt]) for sizes, prompt in zip(*zoo_rows.BATCH)]
    row.batch = max(apart(both, sample, single) for sample, single in enumerate(singles))
    if toy.most_images > 1:
        verdicts.append(zoo_rows.compare_rows(toy, *zoo_rows.TWO))
        row.images = "1, 2"
    row.difference = max(verdict.difference for verdict in verdicts)
    row.same_ids = all(verdict.same_ids for verdict in verdicts)
    if row.difference > TOLERANCE or not row.same_ids:
        row.faults += (f"rows differ by {row.difference:.1e}, same ids {row.same_ids}",)


def apart(batch: zoo_rows.RowsVerdict, sample: int, single: zoo_rows.RowsVerdict) -> float:
    """Return how far a sample's rows in a batch are from its own run. Infinite if its ids differ."""
    if not torch.equal(batch.ids[sample, -zoo_rows.STEPS :], single.ids[0, -zoo_rows.STEPS :]):
        return float("inf")
    rows = batch.rows[sample][..., : single.rows.shape[-1]]
    return (rows - single.rows[0]).nan_to_num().abs().max().item()


def find_geometry(toy: zoo_build.Toy, row: Row) -> None:
    """Find the places of image tokens as Lens does, and prove them by changed regions."""
    source = GeometrySource(toy.model, toy.processor, "auto", lambda images: toy.inputs([images], ["ab"]), toy.options)
    for sizes in ([SIZES[0]], [SIZES[1]], list(SIZES))[: 3 if toy.most_images > 1 else 2]:
        try:
            toy.inputs(zoo_rows.noise_images([sizes]), ["ab"])
        except Exception as error:  # a fault of the processor, which takes one image
            if len(sizes) == 1:
                raise
            row.note += f"{'; ' * bool(row.note)}its processor fails with images of {sizes}: {said_by(error)}"
            continue
        found = source.find(sizes)
        if all(np.isnan(geometry.boxes[:, 0]).all() for geometry in found.geometries):
            row.geometry = "none: every image token sees the whole image"
            return
        boxes = [geometry.boxes for geometry in found.geometries]
        verdict = zoo_regions.check_regions(
            toy, boxes, sizes, reads_patches=found.reading is not None, is_convolved=found.how == "convolved"
        )
        row.regions += verdict.tried
        if verdict.wrong:
            row.faults += (f"{verdict.wrong} of {verdict.tried} regions: {verdict.first}",)
    row.geometry = "registered" if found.how == "registered" else f"measured ({found.how})"
    if found.reading is not None:
        row.geometry = f"no place of their own; through the patches that they read, measured ({found.how})"


def find_lens(toy: zoo_build.Toy, row: Row) -> None:
    """Whether `Lens` answers and gives maps without any setting of its own."""
    lens = Lens(toy.model, toy.processor, images_kwargs=toy.options)
    ((image,),) = zoo_rows.noise_images([[SIZES[0]]])
    look = lens.look(image, "ab", max_new_tokens=2, min_new_tokens=2)
    row.lens = "yes" if np.isfinite(look.maps()).any() else "no finite map"


PLACE: dict[Callable[..., None], str] = {find_rows: "reason", find_geometry: "geometry", find_lens: "lens"}


def said_by(error: Exception) -> str:
    """Return the first sentence of an error that is not ours."""
    return " ".join(str(error).split()).split(" You can try")[0].rstrip().replace("|", "\\|")


def because(error: Exception) -> str:
    """Return an error in one line that fits a table."""
    text = str(error).split("but this failed: ")[-1].split("; register a rule")[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} in {Path(place.filename).name}: "
    return f"none: {kind}{' '.join(text.split())}"[:220].rstrip().replace("|", "\\|")


def isolated(name: str, seconds: float) -> Row:
    """Examine an architecture in a process of its own."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        torch.manual_seed(0)
        try:
            sender.send(asdict(examine(name)))
        except Exception as error:
            sender.send(asdict(Row(name, reason=because(error))))

    process = context.Process(target=work)
    process.start()
    sender.close()
    try:
        row = Row(**receiver.recv()) if receiver.poll(seconds) else Row(name, reason=f"not done after {seconds:.0f} s")
    except EOFError:
        row = Row(name, reason="its process crashed")
    process.kill()
    process.join()
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="architectures; all of the mapping without any")
    parser.add_argument("--seconds", type=float, default=300, help="limit for each architecture")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the table to a file, such as docs/coverage.md"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found out to a file")
    options = parser.parse_args()
    logger.remove()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PIXFOUND_CACHE"] = cache
        rows = [said(isolated(name, options.seconds)) for name in options.names or zoo_names.architectures()]
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if options.write:
        options.write.write_text(document([asdict(row) for row in rows], transformers.__version__))
    sys.exit(bool(faulty(rows)))


def faulty(rows: Sequence[Row]) -> list[Row]:
    """Print what is wrong, and return its rows."""
    found = [row for row in rows if row.faults]
    for row in found:
        print(f"WRONG {row.name}: {'; '.join(row.faults)}")
    return found


def said(row: Row) -> Row:
    """Print a row as soon as it is known."""
    known: dict[str, Any] = {
        name: value for name, value in asdict(row).items() if value is not None and value not in ("", ())
    }
    print(json.dumps(known), flush=True)
    return row


if __name__ == "__main__":
    main()
