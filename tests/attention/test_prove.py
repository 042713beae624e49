"""`pixfound prove`."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pixfound_tasks.attention import GEOMETRIES
from pixfound_tasks.attention.geometry_proofs import parse_sizes
from pixfound_tasks.cli.app import app


def prove(*arguments):
    return CliRunner().invoke(app, ["prove", "pixfound/mini", *arguments])


def test_the_embedded_model_is_proved():
    found = prove("--sizes", "1x1,60x90,7x1000")
    assert found.exit_code == 0, found.output
    assert "family llava, rule registered" in found.output and "3 of 3 sizes proved" in found.output
    line = r"ok    60 x 90: 100 image tokens, 100 with a place, by gradient; largest deviation 0\.\d\d px"
    assert re.search(line, found.output)
    assert re.search(
        r"\d+ forward and \d+ backward passes of the vision part, \d+ calls of the processor", found.output
    )


def test_a_wrong_rule_is_found(monkeypatch, tmp_path):
    right = GEOMETRIES["llava"]
    monkeypatch.setitem(GEOMETRIES.data, "llava", lambda *given: right(*given) + 3)
    Image.fromarray(np.zeros((60, 90, 3), np.uint8)).save(tmp_path / "image.png")
    found = prove("--image", str(tmp_path / "image.png"))
    assert found.exit_code == 1 and "0 of 1 sizes proved" in found.output
    assert re.search(r"WRONG 60 x 90: .*largest deviation 3\.\d\d px", found.output)


@pytest.mark.parametrize("sizes", ["60", "60x", "0x9", "a x b"])
def test_sizes_that_mean_nothing(sizes):
    found = prove("--sizes", sizes)
    assert found.exit_code == 1 and "expected sizes as HEIGHTxWIDTH" in found.output
    with pytest.raises(ValueError, match="expected sizes"):
        parse_sizes(sizes)
