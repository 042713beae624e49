"""Runs that differ in their candidates, or in the image that the model sees, are told apart."""

from __future__ import annotations

import pytest
from two_runs import choice, compared, found, write

from pixfound_tasks.report.leaderboard import schema
from pixfound_tasks.report.leaderboard.rows import rows
from pixfound_tasks.runs.load import read_runs
from pixfound_tasks.runs.summary import summarize

MADE = {"grounding": "point", "segmenter": "sam:large"}


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"candidates": "products"}, "the kind of candidates differs: candidates is not recorded in the first run and"),
        ({"enlarge": 2}, "the size of the image that the model sees differs: enlarge is not recorded in the first run"),
        (
            {"mask": "first"},
            "the rule for masks differs: mask is not recorded in the first run and first in the second",
        ),
    ],
)
def test_they_are_told_apart_by_compare_and_leaderboard(tmp_path, changed, warning):
    runs = [
        write(tmp_path / name, vqa=[choice(1, True)], ground=[found(1, 8, provenance=made)])
        for name, made in (("a", MADE), ("b", MADE | changed))
    ]
    (said,) = compared(*runs)["warnings"]
    assert said.startswith(warning)
    first, second = (rows(map(summarize, read_runs(run)))[0]["settings"] for run in runs)
    ((name, value),) = changed.items()
    assert (first[name], second[name]) == (None, str(value))
    assert name in schema.COMPARED and {key for key in first if first[key] != second[key]} == {name}
    assert name in schema.LATER  # rows of earlier versions stay readable
