"""Drawn stand-ins for the images and questions of CV-Bench, for machines that have PixCV-Bench's annotations only.

    python tests/standins_pixcv.py ANNOTATIONS OUT

makes OUT/PixCVBench in the layout of the benchmark's authors; PIXFOUND_DATA=OUT then finds it. Images show nothing, and
questions are made up in CV-Bench's wording.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import shutil
from collections.abc import Iterable
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as coco

RED_BOX = " (annotated by the red box)"
LEAST_SIDES = {"ADE20K": (512, 683), "COCO": (333, 500)}  # height, width of an image that nothing else says the size of
SEGMENTATION_FILES = {
    "ADE20K": "ADE20K/validation/FinalSegmentations.json",
    "COCO": "COCO/FinalSegmentations.json",
}
SCHEMA = pa.schema({
    "idx": pa.int64(), "type": pa.string(), "task": pa.string(),
    "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    "question": pa.string(), "choices": pa.list_(pa.string()), "answer": pa.string(), "prompt": pa.string(),
    "filename": pa.string(), "source": pa.string(), "source_dataset": pa.string(), "source_filename": pa.string(),
})  # fmt: skip

# Five images of 24x32 pixels (height, width), and a row of CV-Bench's other part, which is not to be looked at.
TINY_SIZE = (24, 32)
TINY_OBJECTS = """,Id,file,Objects
0,0,CV-Bench/ADE20K/validation/images/ADE_val_00000003.jpg,"curtain, drape, drapery"
1,1,CV-Bench/ADE20K/validation/images/ADE_val_00000001.jpg,"('stairs, steps', 'wall')"
2,2,CV-Bench/ADE20K/validation/images/ADE_val_00000002.jpg,"bucket, pail"
3,3,CV-Bench/COCO/coco/images/000000000009.jpg,person
4,4,CV-Bench/COCO/coco/images/000000000007.jpg,"('bicycle', 'person')"
"""
TINY_MARKED = {1: 1, 4: 0}  # which of two names the red box is about


def make(annotations: Path, out: Path) -> Path:
    """Make OUT/PixCVBench from the folder with Objects.csv and each source's segmentations; returns it."""
    segmentations = {source: annotations / source / "FinalSegmentations.json" for source in SEGMENTATION_FILES}
    sizes = {source: image_sizes(json.loads(file.read_text()), source) for source, file in segmentations.items()}
    rows = []
    for line in csv.DictReader((annotations / "Objects.csv").read_text().splitlines()):
        source = next(source for source in sizes if f"/{source}/" in line["file"])
        name = Path(line["file"]).name
        rows.append(row(int(line["Id"]), source, name, line["Objects"], picture(int(line["Id"]), sizes[source][name])))
    return write(out, annotations / "Objects.csv", segmentations, rows)


def write(out: Path, objects: Path, segmentations: dict[str, Path], rows: Iterable[dict]) -> Path:
    folder = out / "PixCVBench"
    for source, place in SEGMENTATION_FILES.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(segmentations[source], folder / place)
    (folder / "CV-Bench").mkdir(exist_ok=True)
    shutil.copyfile(objects, folder / "CV-Bench" / "Objects.csv")
    write_rows(folder / "CV-Bench" / "test.parquet", rows)
    return folder


def write_rows(file: Path, rows: Iterable[dict]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file, row_group_size=100)


def image_sizes(segmentations: dict, source: str) -> dict[str, tuple[int, int]]:
    """(height, width) by file: at COCO the RLEs' own; at ADE20K larger ones. Polygons alone: what holds them."""
    by_image: dict[int, list] = {image["id"]: [] for image in segmentations["images"]}
    for annotation in segmentations["annotations"]:
        by_image[annotation["image_id"]].append(annotation["segmentation"])
    return {image["file_name"]: _size(by_image[image["id"]], source) for image in segmentations["images"]}


def _size(shapes: list, source: str) -> tuple[int, int]:
    stated = [tuple(shape["size"]) for shape in shapes if isinstance(shape, dict)]
    if stated and source == "COCO":
        return stated[0]
    points = [polygon for shape in shapes if isinstance(shape, list) for polygon in shape]
    needed = [max(chain.from_iterable(polygon[axis::2] for polygon in points), default=0) + 1 for axis in (1, 0)]
    return tuple(max(least, int(side)) for least, side in zip(LEAST_SIDES[source], needed))


def picture(seed: int, size: tuple[int, int]) -> bytes:
    """A pale ground in large patches, JPEG, of `size` (height, width)."""
    patches = np.random.RandomState(seed).randint(140, 256, (3, 4, 3)).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(patches).resize(size[::-1], Image.Resampling.NEAREST).save(buffer, "JPEG", quality=30)
    return buffer.getvalue()


def row(index: int, source: str, file: str, objects: str, image: bytes | None, marked: int | None = None) -> dict:
    """A row of CV-Bench: a relation of two names, of which one may be marked by a red box, or a count of one."""
    rng = np.random.RandomState(index)
    if objects.startswith("("):
        names = ast.literal_eval(objects)
        a, b = (name + RED_BOX * (position == marked) for position, name in enumerate(names))
        question = (
            f"Considering the relative positions of the {a} and the {b} in the image provided, where is the {a} "
            f"located with respect to the {b}?"
        )
        task, choices = "Relation", ["above", "below"] if rng.randint(2) else ["left", "right"]
    else:
        question, task = f"How many {objects} are in the image?", "Count"
        choices = [str(number) for number in rng.permutation(7)[: rng.randint(4, 7)]]
    letters = "ABCDEF"[: len(choices)]
    listed = "\n".join(f"({letter}) {choice}" for letter, choice in zip(letters, choices))
    folder = "/coco/val2017/" if source == "COCO" else ""
    return {
        "idx": index, "type": "2D", "task": task, "image": {"bytes": image, "path": f"{index}.jpg"},
        "question": question, "choices": choices, "answer": f"({letters[rng.randint(len(choices))]})",
        "prompt": f"{question} Select from the following choices.\n{listed}",
        "filename": f"img/2D/{task.lower()}/{source.lower()}_{index}.png", "source": source,
        "source_dataset": f"{source} validation set", "source_filename": folder + file,
    }  # fmt: skip


def make_tiny(out: Path) -> Path:
    """Make OUT/PixCVBench of five images that cover what the real one holds; returns it."""
    annotations = out / "annotations"
    segmentations = {source: annotations / source / "FinalSegmentations.json" for source in SEGMENTATION_FILES}
    shapes = {
        # At half of the image's size; as a polygon; none.
        "ADE20K": {
            "ADE_val_00000001.jpg": [[[4, 2, 12, 2, 12, 10, 4, 10]]],
            "ADE_val_00000002.jpg": [],
            "ADE_val_00000003.jpg": [rectangle((12, 16), slice(3, 6), slice(4, 8))],
        },
        # Two that overlap, of each kind one; two of which one is at twice the image's size, with runs as numbers.
        "COCO": {
            "000000000009.jpg": [
                rectangle(TINY_SIZE, slice(0, 10), slice(0, 10)),
                [[8, 8, 20, 8, 20, 20, 8, 20]],
            ],
            "000000000007.jpg": [
                {"size": [48, 64], "counts": [48 * 60, 48 * 4]},
                rectangle(TINY_SIZE, slice(0, 1), slice(0, 1)),
            ],
        },
    }
    for source, file in segmentations.items():
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(coco_style(shapes[source])))
    (annotations / "Objects.csv").write_text(TINY_OBJECTS)
    rows = []
    for line in csv.DictReader(TINY_OBJECTS.splitlines()):
        index, source, name = int(line["Id"]), line["file"].split("/")[1], Path(line["file"]).name
        image = picture(index, TINY_SIZE)
        rows.append(row(index, source, name, line["Objects"], image, TINY_MARKED.get(index)))
    other = row(5, "Omni3D", "kitti.jpg", "('car', 'truck')", picture(5, TINY_SIZE)) | {"type": "3D", "task": "Depth"}
    return write(out, annotations / "Objects.csv", segmentations, [*rows, other])


def rectangle(size: tuple[int, int], rows: slice, columns: slice) -> dict:
    """A filled rectangle as RLE of that size (height, width)."""
    mask = np.zeros(size, np.uint8, order="F")
    mask[rows, columns] = 1
    return {"size": list(size), "counts": coco.encode(mask)["counts"].decode()}


def coco_style(shapes: dict[str, list]) -> dict:
    numbered = list(enumerate(shapes.items()))
    return {
        "categories": [{"id": 0, "name": "foreground"}],
        "images": [{"id": number, "file_name": name} for number, (name, _) in numbered],
        "annotations": [
            {"image_id": number, "category_id": 0, "segmentation": shape}
            for number, (_, found) in numbered
            for shape in found
        ],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, help="the folder with Objects.csv, ADE20K and COCO")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(make(arguments.annotations, arguments.out))
