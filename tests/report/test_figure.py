"""`pixfound figure`: text that can be selected, what is drawn, and names of models and images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader
from two_runs import SURE, found, write
from typer.testing import CliRunner
from written_run import HOSTILE, IMAGES, box, write_run

from pixfound_tasks import masks
from pixfound_tasks.cli import app as command
from pixfound_tasks.report import figure as drawing
from pixfound_tasks.response import coarse_map
from pixfound_tasks.response.maps import to_fields
from pixfound_tasks.runs.run import read_runs


def invoke(*arguments):
    return CliRunner().invoke(command.app, ["figure", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("figure") / "run")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another model's run of the same images, whose phrase has a map."""
    sample = found(1, 5, "See the left half")
    response = json.loads(sample["filtered_resps"][0])
    levels = to_fields(coarse_map(np.outer(np.ones(10), np.arange(20, 0, -1.0))))
    response["phrases"] = [{"text": "the left half", "chars": [4, 17], "point": [0.1, 0.5], "map": levels}]
    sample["filtered_resps"] = [json.dumps(response)]
    run = write(tmp_path_factory.mktemp("figure") / "other", ground=[sample])
    (results,) = run.glob("*/*_results.json")
    results.write_text(results.read_text(encoding="utf-8").replace("maker/model", "maker/attentive"), encoding="utf-8")
    return run


def words(path):
    (page,) = PdfReader(path).pages
    return " ".join(page.extract_text().split())


def test_text_of_the_pdf_can_be_selected(folder, other, tmp_path):
    done = invoke(folder, other, "--image", "1", "--out", tmp_path / "new" / "figure.pdf")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(tmp_path / "new" / "figure.pdf")
    said = words(tmp_path / "new" / "figure.pdf")
    for expected in ("Ground truth", "maker/model", "maker/attentive", "the red square", "IoU 0.80", "IoU 0.50"):
        assert expected in said
    assert "“the left half”" in said and "what it attends to" in said
    content = (tmp_path / "new" / "figure.pdf").read_bytes()
    assert b"/Type /Font" in content and b"/Subtype /Type3" not in content  # TrueType, embedded


def test_models_and_images_are_chosen(folder, other, tmp_path):
    done = invoke(folder, other, "--image", "1,3", "--models", "MODEL", "--out", tmp_path / "figure.svg")
    assert done.exit_code == 0, done.output
    drawn = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "maker/model" in drawn and "attentive" not in drawn and "<text" in drawn
    assert "IoU 0.80" in drawn and "IoU 0.40" in drawn
    assert "attends" not in drawn  # no map, no column for it
    assert "<img" not in drawn
    assert invoke(folder, "--image", "1", "--out", tmp_path / "figure.png").exit_code == 0
    with Image.open(tmp_path / "figure.png") as opened:
        assert opened.width > 600


def test_masks_are_drawn_where_they_are(folder):
    (run,) = read_runs(folder)
    figure = drawing.draw_figure([run], ["1"], {"1": Image.new("RGB", (20, 10), "white")})
    image, truth, prediction = figure.axes[:3]
    assert len(image.images) == 1 and len(truth.images) == len(prediction.images) == 2
    for axes, columns in ((truth, IMAGES["1"][0]), (prediction, IMAGES["1"][1])):
        shade = axes.images[1].get_array()
        assert (shade[..., 3] < 0.3).tolist() == masks.decode(box(columns)).astype(bool).tolist()


def test_hostile_text_is_drawn_as_it_is(folder, tmp_path):
    assert invoke(folder, "--image", "4", "--out", tmp_path / "figure.svg").exit_code == 0
    assert HOSTILE not in (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert invoke(folder, "--image", "4", "--out", tmp_path / "figure.pdf").exit_code == 0
    assert "onerror=alert(1)" in words(tmp_path / "figure.pdf").replace(" ", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--image", "99"], "expected an image of pixmini, but no run has '99'"),
        (["--image", ","], "expected --image as the id of an image"),
        (["--image", "1", "--models", "nobody"], "none fit 'nobody'; the runs have maker/model, maker/attentive"),
        (["--image", "1", "--models", "maker"], "several fit 'maker'"),
        (["--image", "1", "--benchmark", "pixmmvp"], "expected the benchmark to be one of ['pixmini']"),
        (["--image", "1", "--out", "figure.jpg"], "expected --out as a file that ends with .pdf, .svg, .png, but"),
    ],
)
def test_errors_say_what_to_do(folder, other, options, said):
    done = invoke(folder, other, *options)
    assert done.exit_code == 1 and said in " ".join(done.stderr.split())


def test_of_several_benchmarks_one_is_chosen(folder, tmp_path):
    write(tmp_path / "two", SURE, "pixmmvp", ground=[found(1, 5, benchmark="pixmmvp")])
    done = invoke(folder, tmp_path / "two", "--image", "1")
    assert done.exit_code == 1 and "got pixmini, pixmmvp: choose one with --benchmark" in " ".join(done.stderr.split())
