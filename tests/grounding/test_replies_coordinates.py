"""Replies that real models gave and that were once read wrongly: each is read as it was meant, or named as unread."""

from __future__ import annotations

import json
import re

import pytest
from places import REPOSITORY

from pixfound_tasks import masks
from pixfound_tasks.grounding.coordinates.reading import read_coordinates
from pixfound_tasks.tasks import model_profiles

FILE = REPOSITORY.parent / "shared" / "data" / "replies.json"
SIZE = (480, 640)
KINDS = re.compile(r"(?:[DPUGVZ]|OK)[0-9]+|R[2-8]")
CONTEXT = re.compile(r"640x480 image, PIXFOUND_COORDINATES=(\w+), asked for (\w+)\.")


def replies():
    if not FILE.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"needs {FILE}"))]
    chosen = [each for each in json.loads(FILE.read_text()) if KINDS.fullmatch(each["id"])]
    return [pytest.param(each, id=each["id"]) for each in chosen]


def read(reply):
    convention, kind = (None if word == "None" else word for word in CONTEXT.match(reply["context"]).groups())
    if model := re.search(r"--model (\w+)", reply["context"]):
        convention = model_profiles.BY_MODEL[model[1]]["coordinates"]
    return read_coordinates(reply["input"], SIZE, convention, kind)


@pytest.mark.parametrize("reply", replies())
def test_a_reply_is_read_as_it_was_meant(reply):
    reading, expected = read(reply), reply["expected"]
    if expected == "not there":
        assert (reading.boxes, reading.points, reading.problems) == ((), None, ())
    elif "boxes" in expected:
        found = [[value * SIZE[1 - i % 2] for i, value in enumerate(box)] for box in reading.boxes or ()]
        assert found == [pytest.approx(box, abs=0.05) for box in expected["boxes"] or ()]
        assert (reading.points, reading.masks) == (None, None)
    elif "mask" in reply["kind"]:  # a model's own mask: here it is no whole picture, or codes
        assert len(reading.boxes) == 1 and "dropped" in reading.problems[0]
    else:
        (mask,) = reading.masks
        assert (reading.boxes, reading.points, reading.problems) == (None, None, ())
        # The kite of Florence-2, and the rectangle of the others.
        corners = [(300, 250), (500, 400), (450, 750), (120, 600)] if "loc_" in reply["input"] else None
        assert masks.area(mask) == pytest.approx(256 * 240 if corners is None else shoelace(corners), rel=0.02)


def shoelace(corners):
    """The area in pixels of a polygon in thousandths."""
    pairs = zip(corners, [*corners[1:], corners[0]])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2 * 0.64 * 0.48
