"""`geometry=` of `--model pixfound`, and what responses, comparisons and leaderboards say of it."""

from __future__ import annotations

import pytest

from pixfound_tasks import Lens, mini
from pixfound_tasks.grounding import pipeline
from pixfound_tasks.models.arguments import read_arguments
from pixfound_tasks.report.leaderboard.schema import COMPARED, LATER
from pixfound_tasks.runs.compare.settings import Setting, warn


@pytest.mark.parametrize("geometry, said", [("auto", None), ("measured", "measured"), ("registered", "registered")])
def test_the_provenance_says_what_is_not_automatic(mini_lens, geometry, said):
    arguments = read_arguments({"geometry": geometry})
    lens = Lens(mini_lens.model, mini_lens.processor, geometry=arguments.geometry)
    grounder = pipeline.attention_grounder(
        lens, mini.NAME, "cpu", "region", "rules", None, arguments.of_study, **arguments.of_grounder
    )
    assert grounder.provenance.get("geometry") == said


def test_other_geometries_are_errors():
    with pytest.raises(ValueError, match="expected geometry to be one of"):
        read_arguments({"geometry": "guessed"})


def test_runs_with_other_geometries_are_told_apart():
    assert "geometry" in COMPARED and "geometry" in LATER
    (warning,) = warn([Setting("geometry", "", "measured", True)], [])
    assert warning.startswith("the geometry of image tokens differs: geometry is not recorded in the first run")
