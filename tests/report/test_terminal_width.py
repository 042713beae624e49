"""80 columns hold every table, however long the names are: no line is longer, and no word of it is cut."""

from __future__ import annotations

import random

import pytest
from rich.console import Console
from rich.text import Text
from two_runs import choice, found, write
from typer.testing import CliRunner
from written_run import IMAGES, ground_sample, of_pixcvbench, open_sample, vqa_sample, write_results, write_samples

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.console import make_table
from pixfound_tasks.report.html import pictures
from pixfound_tasks.report.narrow_tables import print_table

LONG = "an-organization/A-Model-of-Many-Words-2.5-VL-72B-Instruct"


@pytest.fixture
def printed(monkeypatch):
    """What a command prints at a width."""
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})

    def run(width, *arguments):
        monkeypatch.setenv("COLUMNS", str(width))
        done = CliRunner().invoke(command.app, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.stdout.partition("\nNext\n")[0]

    return run


@pytest.fixture
def runs(tmp_path):
    for benchmark, change in (("pixmini", lambda sample: sample), ("pixcvbench", of_pixcvbench)):
        ids = list(IMAGES)[:4]
        for task, sample in (("vqa", vqa_sample), ("ground", ground_sample), ("vqa_open", open_sample)):
            write_samples(tmp_path / "many" / "model", f"{benchmark}_{task}", [change(sample(id)) for id in ids])
    write_results(tmp_path / "many" / "model", limit=None)
    (results,) = (tmp_path / "many" / "model").glob("*_results.json")
    results.write_text(results.read_text().replace("maker/model", LONG))
    rng = random.Random(0)
    for name in ("a", "b"):
        answers = [choice(id, rng.random() < 0.6) for id in range(1, 21)]
        groundings = [found(id, rng.randint(1, 9), text="It is the red square at the left") for id in range(1, 21)]
        write(tmp_path / name, vqa=answers, ground=groundings, model_args=f"name={name},other=a long value of it")
    return tmp_path


def assert_whole(wide, narrow):
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in narrow
    lost = set(wide.split()) - set(narrow.replace(",", " ").split()) - set(narrow.split())
    assert not {word for word in lost if len(word) < 70 and any(map(str.isalnum, word))}


def test_scores(printed, runs):
    wide, narrow = (printed(width, "report", runs / "many") for width in (300, 80))
    assert LONG in narrow
    assert_whole(wide, narrow)


def test_comparisons(printed, runs):
    wide, narrow = (printed(width, "compare", runs / "a", runs / "b") for width in (300, 80))
    assert_whole(wide, narrow)


def test_the_inventory(printed, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    wide, narrow = (printed(width, "data", "info").partition("\npixmmvp: ")[0] for width in (300, 80))
    assert "IVUlab/pixcvbench @ not downloaded" in narrow
    assert_whole(wide, narrow)


def drawn(table, width):
    console = Console(width=width)
    with console.capture() as captured:
        print_table(console, table)
    return captured.get()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("width", [40, 60, 80])
def test_any_table_keeps_its_words(seed, width):
    """Words of at most 15 letters, in tables of any shape, are all there in lines that fit."""
    rng = random.Random(seed)

    def words(most):
        return " ".join("".join(rng.choices("abcdefgh", k=rng.randint(1, 15))) for _ in range(rng.randint(0, most)))

    headings, named = [f"{words(1)}{index}" for index in range(rng.randint(1, 10))], rng.randint(1, 3)
    table = make_table(*headings, named=min(named, len(headings)))
    rows = [[words(2) for _ in headings] for _ in range(rng.randint(1, 6))]
    for row in rows:
        table.add_row(*map(Text, row))
    text = drawn(table, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    said = " ".join(text.split()).replace(",", "").split()
    assert {word for row in rows for cell in row for word in cell.split()} <= set(said)
