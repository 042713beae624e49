"""Objects show themselves in notebooks, and the notebook of docs/ runs from its first to its last cell."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from places import REPOSITORY

from pixfound_tasks import load_run, look_widely
from pixfound_tasks.analysis.comparison import Paired, compare_correct, compare_means
from pixfound_tasks.runs.compare.comparison import compare_runs

sys.path.insert(0, str(Path(__file__).with_name("report")))
from two_runs import write_five_pairs_apart
from written_run import HOSTILE, write_run

NOTEBOOK = REPOSITORY / "docs" / "look.ipynb"


def cells(html):
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [[re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)] for row in rows]


def test_a_look_shows_its_answer_and_maps(mini_lens, scene_image):
    look = look_widely(mini_lens, scene_image, "Describe the scene.", max_new_tokens=6)
    shown = look._repr_html_()
    assert look.text in shown and "reducer: mean_centered" in shown and "tam" in shown and "layers x" in shown
    assert shown.count("data:image/png;base64,") == 1
    assert "an empty answer" in look.part((0, 0))._repr_html_()


def test_text_of_a_model_stays_text(mini_lens, scene_image):
    look = mini_lens.look(scene_image, "Describe the scene.", "It is.")
    shown = type(look)(HOSTILE, ((0, len(HOSTILE)),), look.rows[:1], look.values[:1], look.geometries)._repr_html_()
    assert HOSTILE not in shown and shown.count("<img ") == 1


def test_a_run_shows_its_metrics(tmp_path):
    run = load_run(write_run(tmp_path / "run"))
    (heading, *_) = cells(run._repr_html_())
    assert heading == ["task", "metric", "value"]
    assert "maker/model on pixmini: 5 images, ground, vqa" in run._repr_html_()
    shown = type(run)(HOSTILE, "pixmini", metrics={"ground": {"miou": 0.5}})._repr_html_()
    assert HOSTILE not in shown and cells(shown)[1] == ["ground", "miou", "0.500"]


def test_comparisons_show_the_difference():
    paired = Paired([1, 1, 0, 0], [1, 1, 1, 1], ["a", "b", "c", "d"])
    assert cells(compare_means(paired)._repr_html_())[1][:1] == ["0.500"]
    heading, row = cells(compare_correct(paired)._repr_html_())
    assert heading[-2:] == ["correct only in the first", "only in the second"] and row[-2:] == ["0", "2"]


def test_comparisons_of_runs_show_every_score(tmp_path):
    (found,) = compare_runs([tuple(map(load_run, write_five_pairs_apart(tmp_path)))])
    rows = {row[0]: row for row in cells(found._repr_html_())[1:]}
    assert rows["answering"][1:4] == ["0.700", "0.400", "-0.300"]


@pytest.mark.skipif(not NOTEBOOK.is_file(), reason="needs the sources")
def test_the_notebook_runs(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    written = nbformat.read(NOTEBOOK, as_version=4)
    kept = [output for cell in written.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(cell.execution_count for cell in written.cells if cell.cell_type == "code")
    assert sum("text/html" in output.get("data", {}) for output in kept) >= 3
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 2_000_000 and not re.search(r"/(home|root|tmp|work)/", text)
    done = NotebookClient(written, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    assert sum("text/html" in output.get("data", {}) for output in shown) >= 3
