"""Logs that anybody may have written: read, or refused by file and line; links in their folders are not followed."""

from __future__ import annotations

import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from untrusted import OUTPUTS, broken
from written_run import DATE, document, ground_sample, open_sample, vqa_sample, write_results, write_run, write_samples

from pixfound_tasks import masks
from pixfound_tasks.report.export import write_files
from pixfound_tasks.report.html.page import write_page
from pixfound_tasks.report.plots import plots
from pixfound_tasks.report.score_tables import print_scores
from pixfound_tasks.runs.provenance import as_texts
from pixfound_tasks.runs.run import RunError, read_runs
from pixfound_tasks.runs.samples import sample_files
from pixfound_tasks.runs.summary import summarize


def varied(id):
    return {"score": ["spelling", 1, [0, True]], "pixfound": document(id)}


def asked(id):
    return {"score": [id, "plain", 0], "pixfound": document(id) | {"left_out": {"without_region": 1}}}


SAMPLES = {
    "pixmini_vqa": vqa_sample("1"),
    "pixmini_vqa_open": open_sample("1"),
    "pixmini_ground": ground_sample("1"),
    "pixmini_when": ground_sample("1") | {"concept": "part", "classified_by": "words", "chance_miou": 0.1},
    "pixmini_vqa_lang": varied("1"),
    "pixmini_vqa_evidence": asked("1"),
}


def reported(folder, draw=False):
    """All that the command does."""
    runs = read_runs(folder)
    summaries = [summarize(run) for run in runs]
    drawn = [plots(summary) if draw else [] for summary in summaries]
    write_page(runs, summaries, folder / "report", {}, drawn)
    write_files(runs, summaries, drawn, folder / "report")
    print_scores(summaries)
    return runs, summaries


ONE_BROKEN = st.sampled_from(sorted(SAMPLES)).flatmap(
    lambda task: broken(json.loads(json.dumps(SAMPLES[task])), changes=1).map(lambda sample: (task, sample))
)


@settings(max_examples=50)
@given(ONE_BROKEN)
def test_a_sample_with_anything_anywhere_is_reported_or_refused_by_its_line(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("run")
    task, sample = sample
    write_samples(folder / "model", task, [sample])
    try:
        runs, _ = reported(folder)
    except RunError as error:
        assert f"_samples_{task}.jsonl" in str(error)
    else:
        assert sum(len(run.records) + sum(map(len, run.repeated.values())) for run in runs) == 1


@settings(max_examples=25)
@given(OUTPUTS)
def test_any_output_is_reported(tmp_path_factory, output):
    folder = tmp_path_factory.mktemp("run")
    samples = SAMPLES["pixmini_ground"] | {"filtered_resps": [output], "input": output}
    write_samples(folder / "model", "pixmini_ground", [samples])
    (run,), _ = reported(folder)
    assert len(run.records) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"width": float("inf")}, "expected a whole number as width, but got 'inf'"),
        ({"width": 0}, "expected an image of 1 to 33554432 pixels as size, but got '0 x 10'"),
        # A billion billion pixels would pass as a mask of one run.
        (
            {"width": 10**9, "height": 10**9, "mask": {"size": [10**9, 10**9], "counts": [10**18]}},
            "expected an image of 1 to 33554432 pixels as size, but got '1000000000 x 1000000000'",
        ),
        ({"pair": -1}, "expected a whole number as pair, but got '-1'"),
    ],
)
def test_documents_that_none_of_ours_is_are_refused(tmp_path, change, expected):
    sample = vqa_sample("1")
    write_samples(tmp_path / "model", "pixmini_vqa", [sample | {"pixfound": sample["pixfound"] | change}])
    with pytest.raises(RunError, match=f"_samples_pixmini_vqa.jsonl, line 1, but got ValueError: {expected}"):
        read_runs(tmp_path)


@pytest.mark.parametrize("value", ["1", float("inf"), 10**400, -0.5, [1], {}])
@pytest.mark.parametrize("name", ["accuracy", "unparsed", "pair_accuracy"])
def test_metrics_that_are_no_shares_are_refused(tmp_path, name, value):
    write_samples(tmp_path / "model", "pixmini_vqa", [vqa_sample("1") | {name: value}])
    with pytest.raises(RunError, match=f"line 1, but got ValueError: expected .* as {name}, but got "):
        read_runs(tmp_path)


@pytest.mark.parametrize(
    ("task", "score"),
    [
        ("vqa_lang", ["spelling", 1, []]), ("vqa_lang", ["spelling", 1, [0, "x"]]), ("vqa_lang", ["spelling", "", 1]),
        ("vqa_lang", [None, 1, 1]), ("vqa_lang", ["spelling", 1, 2]), ("vqa_lang", "spelling"), ("vqa_lang", None),
        ("vqa_evidence", ["2", "plain", 0]), ("vqa_evidence", ["1", 0, 0]), ("vqa_evidence", ["1", "plain", 0.5]),
    ],
)  # fmt: skip
def test_repeated_askings_of_another_form_are_refused(tmp_path, task, score):
    """A score about image 2 in the sample of image 1 would be looked up there."""
    write_samples(tmp_path / "model", f"pixmini_{task}", [SAMPLES[f"pixmini_{task}"] | {"score": score}])
    with pytest.raises(RunError, match=f"_samples_pixmini_{task}.jsonl, line 1, but got "):
        read_runs(tmp_path)


def test_lines_that_are_no_text_or_too_deep_are_refused(tmp_path):
    write_run(tmp_path)
    file = tmp_path / "maker__model" / f"{DATE}_samples_pixmini_vqa.jsonl"
    for line in (b'{"pixfound": "\xff"}', b"[" * 100_000):
        file.write_bytes(json.dumps(vqa_sample("1")).encode() + b"\n" + line)
        with pytest.raises(RunError, match="_samples_pixmini_vqa.jsonl, line 2, but got "):
            read_runs(tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"config": 7}', "[" * 100_000])
def test_results_of_another_form_are_refused(tmp_path, content):
    write_run(tmp_path)
    (tmp_path / "maker__model" / f"{DATE}_results.json").write_text(content)
    with pytest.raises(RunError, match=f"expected .* in .*{DATE}_results.json, but got"):
        read_runs(tmp_path)


def test_an_id_of_thousands_of_digits_is_a_name(tmp_path):
    long = vqa_sample("1")
    long["pixfound"]["id"] = "9" * 5000
    write_samples(tmp_path / "model", "pixmini_vqa", [vqa_sample("2"), long])
    (run,) = read_runs(tmp_path)
    assert [record.document.id for record in run.records] == ["9" * 5000, "2"]


def test_a_pipe_that_is_called_samples_is_not_opened(tmp_path):
    write_run(tmp_path)
    os.mkfifo(tmp_path / "maker__model" / f"{DATE}_samples_pixmini_when.jsonl")
    (tmp_path / "maker__model" / f"{DATE}_samples_pixmini_vqa_open.jsonl").mkdir()
    assert {task for _, task in sample_files(tmp_path)} == {"pixmini_vqa", "pixmini_ground"}


def test_links_in_a_reports_folder_are_replaced_and_not_followed(tmp_path):
    write_run(tmp_path / "run")
    out = tmp_path / "run" / "report"
    out.mkdir()
    theirs = tmp_path / "theirs"
    theirs.write_text("mine")
    names = ("index.html", "report.json", "samples.csv")
    for name in (*names, *(f".{name}" for name in names)):
        (out / name).symlink_to(theirs)
    reported(tmp_path / "run")
    assert theirs.read_text() == "mine"
    assert all((out / name).is_file() and not (out / name).is_symlink() for name in names)


def test_what_spreadsheets_take_for_formulas_is_text(tmp_path):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
    samples = []
    for number, formula in enumerate(formulas, 1):
        sample = vqa_sample("1") | {"filtered_resps": [formula]}
        samples.append(sample | {"pixfound": sample["pixfound"] | {"id": str(number), "pattern": formula}})
    write_samples(tmp_path / "model", "pixmini_vqa", samples)
    reported(tmp_path)
    with (tmp_path / "report" / "samples.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [f"'{formula}" for formula in formulas]
    assert [row["pattern"] for row in rows] == [f"'{formula}" for formula in formulas]


def test_a_responses_provenance_does_not_fill_the_page(tmp_path):
    provenance = {f"key {number}": "x" * 10_000 for number in range(1000)}
    response = {"schema": "pixfound/1", "masks": [masks.empty((10, 20))], "provenance": provenance}
    sample = ground_sample("1") | {"filtered_resps": [json.dumps(response)]}
    write_samples(tmp_path / "model", "pixmini_ground", [sample])
    _, (summary,) = reported(tmp_path)
    shown = as_texts(summary.provenance)["responses"]
    assert len(shown) == 50 and shown["key 0"] == "x" * 500 + "\N{HORIZONTAL ELLIPSIS}"
    assert (tmp_path / "report" / "index.html").stat().st_size < 200_000


def test_names_that_terminals_and_plots_would_read_as_markup_are_drawn(tmp_path):
    names = ("[/x]", "$x_$", "\\frac{", "\x1b[2J")
    for task in ("pixmini_vqa", "pixmini_ground", "pixmini_when"):
        sample = SAMPLES[task]
        documents = [
            sample["pixfound"] | {"id": str(number), "pattern": name, "source": name, "expression": name}
            for number, name in enumerate(names)
        ]
        write_samples(tmp_path / "model", task, [sample | {"pixfound": document} for document in documents])
    write_results(tmp_path / "model", model="pixfound_replay", model_args=f"name={''.join(names)}")
    (run,), _ = reported(tmp_path, draw=True)
    assert run.model == "".join(names)
