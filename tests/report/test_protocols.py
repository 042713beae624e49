"""Reports on open answers, and on a benchmark without pairs and patterns."""

import json
import math

import pytest
from typer.testing import CliRunner
from written_run import (
    HOSTILE,
    IMAGES,
    OPEN,
    PARTS,
    ground_sample,
    grounding,
    of_pixcvbench,
    open_sample,
    vqa_sample,
    write_run,
    write_samples,
)

from pixfound_tasks.cli import app as command
from pixfound_tasks.report.formats import NOT_MEASURED
from pixfound_tasks.report.html import gallery, pictures
from pixfound_tasks.report.html import page as page
from pixfound_tasks.report.report_json import as_json
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.scores import iou
from pixfound_tasks.runs.summary import summarize


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})


@pytest.fixture
def all_protocols(tmp_path):
    run = write_run(tmp_path / "run")
    write_samples(run / "maker__model", "pixmini_vqa_open", map(open_sample, OPEN))
    return run


@pytest.fixture
def unpaired(tmp_path):
    folder = tmp_path / "run" / "maker__model"
    for task, sample in {"vqa": vqa_sample, "ground": ground_sample}.items():
        write_samples(folder, f"pixcvbench_{task}", [of_pixcvbench(sample(id)) for id in PARTS])
    return tmp_path / "run"


def summary_of(folder):
    (run,) = read_runs(folder)
    return summarize(run)


def rendered(folder):
    runs = read_runs(folder)
    return page.render(runs, [summarize(run) for run in runs], {})


def contents(folder):
    runs = read_runs(folder)
    return gallery.contents(runs, [summarize(run) for run in runs], {})


def printed(folder):
    result = CliRunner().invoke(command.app, ["report", str(folder)])
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines() if line.strip()]


def test_open_answers_by_hand(all_protocols):
    """Both whole pairs are right, image 5 is unjudged; masks came with one answer, so that all four IoUs count."""
    found = summary_of(all_protocols)
    assert found.open_answering == 1
    assert found.open_accuracy == 4 / 5
    assert found.unjudged == 1 / 5
    assert found.open_grounding == pytest.approx((0.5 + 1.0 + 0.3 + 0.2) / 4, abs=1e-12)
    assert (found.answering, found.documents) == (1 / 2, 5)  # of the choice questions, as without open ones
    # The higher A is that of the open answers, the higher M, 3.2 / 5, that of the referring ones.
    assert found.score == pytest.approx(2 * 1 * 0.64 / (1 + 0.64), abs=1e-12)
    assert found.provenance.judges == ("rule",)
    assert [row.open_accuracy for row in found.patterns] == [pytest.approx(2 / 3), 1]


def test_open_answers_alone(tmp_path):
    write_samples(tmp_path / "model", "pixmini_vqa_open", map(open_sample, OPEN))
    found = summary_of(tmp_path)
    assert math.isnan(found.answering) and math.isnan(found.grounding)
    assert found.score == pytest.approx(2 * 1 * 0.5 / (1 + 0.5), abs=1e-12)
    assert printed(tmp_path)[0] == ["model", "benchmark", "A†", "M†", "S"]


def test_no_masks_with_any_open_answer_is_not_a_zero(tmp_path):
    samples = [open_sample(id) | {"miou": [0.0, False]} for id in OPEN]
    write_samples(tmp_path / "model", "pixmini_vqa_open", samples)
    found = summary_of(tmp_path)
    assert math.isnan(found.open_grounding) and math.isnan(found.score)
    (values,) = as_json([found])
    assert values["open_grounding"] is None
    assert printed(tmp_path)[0] == ["model", "benchmark", "A†"]


@pytest.mark.parametrize("judgement", [None, "yes", {}, {"by": None}])
def test_who_judged_may_be_missing(tmp_path, judgement):
    write_samples(tmp_path / "model", "pixmini_vqa_open", [open_sample(id) | {"judgement": judgement} for id in OPEN])
    assert summary_of(tmp_path).provenance.judges == ()
    (run,) = contents(tmp_path).listing["runs"]
    assert run["answers"][0]["open"]["by"] is None


def test_judges_are_all_named(tmp_path):
    samples = [open_sample(id) for id in OPEN]
    samples[3]["judgement"]["by"] = HOSTILE
    write_samples(tmp_path / "model", "pixmini_vqa_open", samples)
    assert summary_of(tmp_path).provenance.judges == ("rule", HOSTILE)
    assert HOSTILE not in rendered(tmp_path)


def test_table_and_page_show_open_answers_where_there_are_any(all_protocols):
    heading, _, row, _ = printed(all_protocols)[:4]
    assert heading == ["model", "benchmark", "A†", "A", "accuracy", "M†", "M", "oracle", "chance", "S"]
    assert row == ["maker/model", "pixmini", "100.0", "50.0", "80.0", "50.0", "64.0", "84.0", "42.0", "78.0"]
    assert "<th>Unjudged</th>" in rendered(all_protocols) and "M†" in rendered(all_protocols)
    (all_protocols / "maker__model" / "20260102_030405_samples_pixmini_vqa_open.jsonl").unlink()
    assert "†" not in rendered(all_protocols).partition("<script")[0]


def test_gallery_has_open_answers(all_protocols):
    (run,) = contents(all_protocols).listing["runs"]
    found = {answer["id"]: answer["open"] for answer in run["answers"]}
    assert found["1"] == {"text": f"It is {HOSTILE}", "right": True, "by": "rule"}
    assert found["5"]["right"] is None


def test_accuracy_and_iou_by_source_and_task(unpaired):
    """Right: 1 2 3, not 4; IoUs 0.8, 0, 0.4, 1."""
    found = summary_of(unpaired)
    assert (found.benchmark, found.known_documents) == ("pixcvbench", 1438)
    assert found.answering == found.accuracy == 3 / 4
    assert found.grounding == pytest.approx(2.2 / 4, abs=1e-12)
    assert found.score == pytest.approx(2 * 0.75 * 0.55 / (0.75 + 0.55), abs=1e-12)
    (by_rule,) = found.failures.values()
    assert by_rule["paper"].units == {
        "both_right": (("1",), ("2",)),
        "vqa_only_failure": (("4",),),
        "grounding_only_failure": (("3",),),
        "both_wrong": (),
    }
    assert by_rule["strict"].units["grounding_only_failure"] == (("2",), ("3",))
    rows = [(row.kind, row.name, row.images, row.accuracy, row.miou) for row in found.patterns]
    assert rows == [
        ("source", "ADE20K", 2, 1.0, pytest.approx(0.4)),
        ("source", "COCO", 2, 0.5, pytest.approx(0.7)),
        ("task", "Count", 3, pytest.approx(2 / 3), pytest.approx(2.2 / 3)),
        ("task", "Relation", 1, 1.0, 0.0),
    ]
    assert all(math.isnan(row.pair_accuracy) for row in found.patterns)
    (values,) = as_json([found])
    source, outcomes = values["patterns"][0], values["patterns"][0]["outcomes"]["choice"]["strict"]
    assert (source["name"], source["pair_accuracy"], source["intervals"]["accuracy"]["units"]) == ("ADE20K", None, 2)
    assert outcomes["counts"]["both_right"] == 1 and outcomes["units"]["grounding_only_failure"] == [["2"]]
    assert outcomes["shares"]["both_right"]["value"] == 0.5


@pytest.mark.parametrize("part", [None, 1.0])
def test_without_pairs_the_part_of_the_score_does_not_matter(unpaired, part):
    samples = [of_pixcvbench(vqa_sample(id)) | {"pair_accuracy": part} for id in PARTS]
    write_samples(unpaired / "maker__model", "pixcvbench_vqa", samples)
    assert summary_of(unpaired).answering == 3 / 4


def test_what_had_no_segmenter_is_left_out_and_the_run_is_partial(tmp_path):
    folder = tmp_path / "model"
    unscored = ground_sample("3") | {"miou": math.nan, "filtered_resps": ['{"boxes": [[0.0, 0.0, 1.0, 1.0]]}']}
    write_samples(folder, "pixmini_ground", [ground_sample("1"), unscored])
    write_samples(folder, "pixmini_vqa", map(vqa_sample, ("1", "3", "4")))
    found = summary_of(tmp_path)
    # Image 1 alone has both; of images 3 and 4, a pair, the grounding of neither is known.
    assert (found.documents, found.partial, found.grounding) == (1, True, 0.8)
    assert found.oracle_miou == 0.8 and found.failures["choice"]["paper"].total == 0


def test_the_judge_and_what_it_left_unjudged_are_printed(tmp_path):
    graded = {"unjudged": 1.0, "judgement": {"by": "openai:some", "verdict": None, "reply": ""}, "miou": [None, False]}
    sample = vqa_sample("3") | graded | {"accuracy": 0.0, "pair_accuracy": [1, False]}
    write_samples(tmp_path / "model", "pixmini_vqa_open", [sample])
    text = " ".join(word for line in printed(tmp_path) for word in line)
    assert "open answers judged by openai:some; 100.0 % unjudged, which count as incorrect" in text


def test_parts_are_printed_and_on_the_page(unpaired):
    lines = printed(unpaired)
    assert ["maker__model", "pixcvbench", "ADE20K", "2", NOT_MEASURED, "100.0", "40.0"] in lines
    assert ["maker__model", "pixcvbench", "Count", "3", NOT_MEASURED, "66.7", "73.3"] in lines
    text = rendered(unpaired)
    assert "By source of the images" in text and "By task" in text
    assert "By visual pattern" not in text and "<th>Pairs correct</th>" not in text


def test_masks_made_at_scoring_are_the_answers(tmp_path):
    """The model said words; `grounded` has image 3's mask, 4 of 10 columns."""
    sample = ground_sample("3") | {"filtered_resps": ["It is at [0, 0, 999, 999]."], "grounded": grounding("3", "a")}
    write_samples(tmp_path / "model", "pixmini_ground", [sample])
    (run,) = read_runs(tmp_path)
    assert iou(run.records[0]) == 0.4
    assert run.records[0].ground.response.text == "See a there"


def test_each_protocol_has_its_newest_samples(all_protocols):
    folder = all_protocols / "maker__model"
    write_samples(folder, "pixmini_vqa_open", [open_sample("1")], date="20260103_000000")
    (run,) = read_runs(all_protocols)
    assert [record.document.id for record in run.records if record.open] == ["1"]
    assert [record.document.id for record in run.records if record.vqa] == list(IMAGES)
    assert json.loads(json.dumps(as_json([summarize(run)])))[0]["documents"] == 1
