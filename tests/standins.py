"""Drawn stand-ins for the images of MMVP, for machines that have the annotations of PixMMVP only.

    python tests/standins.py ANNOTATIONS OUT

makes OUT/PixMMVP in the layout of the benchmark's authors; PIXFOUND_DATA=OUT then finds it. Every image shows its
polygons, filled, on a textured ground.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ANNOTATIONS = ("Objects.csv", "Segmentations.json", "visual_patterns.csv")
QUESTION_COLUMNS = ("Index", "Question", "Options", "Correct Answer")

# Three pairs, on images of 32x24 pixels: an object in both images, in one only, and in none because none is asked for.
TINY_OBJECTS = """Index, Object
1, the wings
2, the wings
3, the flame
4, the flame
5, None
6, None
"""
TINY_PATTERNS = """,Index,Question,Options,Correct Answer,Pattern
0,1,"Are the wings open, or closed?",(a) Open (b) Closed,(a),State and Condition
1,2,"Are the wings open, or closed?",(a) Open (b) Closed,(b),State and Condition
2,3,Is there a flame?, (a) Yes (b) No ,(a),Presence of Specific Features
3,4,Is there a flame?, (a) Yes (b) No ,(b),Orientation and Direction
4,5,Is it sunny?,(a) Yes (b) No,(b),State and Condition
5,6,Is it sunny?,(a) Yes (b) No,(a),State and Condition
"""
TINY_POLYGONS = (
    (1, [4, 2, 12, 2, 12, 10, 4, 10]),
    (1, [8, 6, 16, 6, 16, 14, 8, 14]),
    (2, [20, 10, 30, 10, 30, 20, 20, 20]),
    (3, [0, 0, 32, 0, 32, 24, 0, 24]),
)


def make(annotations: Path, out: Path) -> Path:
    """Make OUT/PixMMVP from the folder that holds the three annotation files; returns it."""
    folder = out / "PixMMVP"
    images = folder / "MMVP Images"
    images.mkdir(parents=True, exist_ok=True)
    for name in ANNOTATIONS:
        shutil.copyfile(annotations / name, folder / name)
    patterns = csv.DictReader((folder / "visual_patterns.csv").read_text().splitlines())
    with (folder / "Questions.csv").open("w") as questions:
        writer = csv.DictWriter(questions, QUESTION_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(patterns)
    segmentations = json.loads((folder / "Segmentations.json").read_text())
    for image in segmentations["images"]:
        annotated = [a["segmentation"] for a in segmentations["annotations"] if a["image_id"] == image["id"]]
        drawn = draw(image["id"], (image["width"], image["height"]), list(chain.from_iterable(annotated)))
        drawn.save(images / image["file_name"], quality=90)
    return folder


def draw(seed: int, size: tuple[int, int], polygons: list[list[float]]) -> Image.Image:
    """The polygons in one strong colour on a pale textured ground, RGB, of `size` (width, height)."""
    rng = np.random.RandomState(seed)
    ground = Image.fromarray(rng.randint(140, 256, (8, 8, 3)).astype(np.uint8))
    image = ground.resize(size, Image.Resampling.BICUBIC)
    color = tuple(int(value) for value in rng.permutation([20, 60, 200]))
    for polygon in polygons:
        ImageDraw.Draw(image).polygon(polygon, fill=color)
    return image


def make_tiny(out: Path) -> Path:
    """Make OUT/PixMMVP of three pairs that cover what the real one holds; returns it."""
    annotations = out / "annotations"
    annotations.mkdir(parents=True)
    segmentations = {
        "images": [{"id": n, "width": 32, "height": 24, "file_name": f"{n}.jpg"} for n in range(1, 7)],
        "annotations": [
            {"id": n, "image_id": image, "segmentation": [polygon], "area": 1, "category_id": None}
            for n, (image, polygon) in enumerate(TINY_POLYGONS)
        ],
    }
    (annotations / "Objects.csv").write_text(TINY_OBJECTS)
    (annotations / "visual_patterns.csv").write_text(TINY_PATTERNS)
    (annotations / "Segmentations.json").write_text(json.dumps(segmentations))
    return make(annotations, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, help="the folder with " + ", ".join(ANNOTATIONS))
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(make(arguments.annotations, arguments.out))
