import html
import json
import math
import re
import subprocess
import sys

import pytest
from loguru import logger
from PIL import Image
from typer.testing import CliRunner
from written_run import DATE, HOSTILE, IMAGES, SIZE, ground_sample, vqa_sample, write_results, write_run, write_samples

from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.cli import app as command
from pixfound_tasks.report import export
from pixfound_tasks.report.html import gallery, pictures
from pixfound_tasks.report.html import page as page
from pixfound_tasks.report.report_json import as_json
from pixfound_tasks.runs.provenance import as_texts
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.samples import Origin
from pixfound_tasks.runs.summary import summarize

IMAGE = Image.new("RGB", SIZE[::-1], "white")


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})


@pytest.fixture
def run_folder(tmp_path):
    return write_run(tmp_path / "run")


def invoke(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def error_of(result):
    assert result.exit_code == 1
    return " ".join(result.stderr.split())


def summary_of(folder):
    (run,) = read_runs(folder)
    return summarize(run)


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def rendered(folder, images=None):
    runs = read_runs(folder)
    return page.render(runs, [summarize(run) for run in runs], images or {})


def test_numbers_by_hand(run_folder):
    """IoUs: 8/10, absent but 5 columns predicted 0, 4/10, 1, 1. Right: 1 2 3 5; pair 0 whole, pair 1 not."""
    found = summary_of(run_folder)
    assert (found.model, found.benchmark, found.documents, found.partial) == ("maker/model", "pixmini", 5, True)
    assert found.answering == 1 / 2
    assert found.accuracy == 4 / 5
    assert found.grounding == pytest.approx(3.2 / 5, abs=1e-12)
    assert found.score == pytest.approx(2 * 0.5 * 0.64 / (0.5 + 0.64), abs=1e-12)
    assert found.oracle_miou == pytest.approx(4.2 / 5, abs=1e-12)
    # Two columns at random: 2/10, absent 1, 2/10, 2/10, 2/4.
    assert found.chance_miou == pytest.approx(2.1 / 5, abs=1e-12)
    assert found.unparsed_vqa == 1 / 5
    assert found.unparsed_ground == 0
    assert found.when.candidates == 2


def test_outcomes_by_both_rules(run_folder):
    """Pair 0: 5 of 20 columns where nothing is, right by `paper` only. Pair 1: 4/10 fails, and so does answer 4."""
    found = summary_of(run_folder)
    paper, strict = (found.failures["choice"][rule] for rule in ("paper", "strict"))
    nothing = dict.fromkeys(paper.counts, 0)
    assert paper.counts == nothing | {"both_right": 1, "both_wrong": 1}
    assert strict.counts == nothing | {"grounding_only_failure": 1, "both_wrong": 1}
    assert paper.units["both_right"] == (("1", "2"),)
    assert paper.incomplete == (2,)


def test_location_bins(run_folder):
    """The phrase begins at character 4 of `4 + 37 + 6`; images 1, 3, 4 and 5 have an object."""
    assert len(HOSTILE) == 37
    found = summary_of(run_folder)
    assert found.when.location_bins == (4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert (found.when.located, found.when.present, found.when.images) == (4, 4, 5)


def test_patterns(run_folder):
    color, text = summary_of(run_folder).patterns
    assert (text.name, text.images, text.accuracy, text.pair_accuracy, text.miou) == ("Text", 2, 1, 1, 0.4)
    assert text.outcomes["choice"]["paper"].units["both_right"] == (("1", "2"),)
    assert text.outcomes["choice"]["strict"].counts["both_right"] == 0
    assert (color.images, color.accuracy, color.pair_accuracy) == (3, pytest.approx(2 / 3), 0)
    assert color.outcomes["choice"]["paper"].counts["both_wrong"] == 1
    assert color.intervals["miou"].value == color.miou and color.intervals["miou"].units == 2


def test_one_task_alone_is_not_a_zero(tmp_path):
    folder = tmp_path / "model"
    write_samples(folder, "pixmini_vqa", map(vqa_sample, IMAGES))
    found = summary_of(tmp_path)
    assert found.answering == 1 / 2
    assert math.isnan(found.grounding) and math.isnan(found.score) and math.isnan(found.oracle_miou)
    assert found.failures == {} and found.when is None
    assert found.model == "model"  # without a results file the folder names it
    (values,) = as_json([found])
    assert values["grounding"] is None and values["patterns"][0]["miou"] is None
    assert values["patterns"][0]["name"] == "Color and Appearance"
    heading, _, row = invoke("report", tmp_path).stdout.splitlines()[1:4]
    assert heading.split() == ["model", "benchmark", "A", "accuracy"]  # nobody measured the others
    assert row.split() == ["model", "pixmini", "50.0", "80.0"]


def test_newest_samples_of_each_task(run_folder):
    folder = run_folder / "maker__model"
    write_samples(folder, "pixmini_vqa", [vqa_sample("1"), vqa_sample("2")], date="20260103_000000")
    write_results(folder, date="20260103_000000", model_args="newer")
    write_samples(folder, "pixmini_ground", [ground_sample("3")], date="20250101_000000")
    (run,) = read_runs(folder)  # the model's own folder is taken too
    assert [record.document.id for record in run.records if record.vqa] == ["1", "2"]
    assert len([record for record in run.records if record.ground]) == 5
    assert summarize(run).provenance.settings["model_args"] == "newer"
    assert summarize(run).documents == 2


def test_other_tasks_are_ignored(run_folder):
    (run_folder / "maker__model" / f"{DATE}_samples_mme.jsonl").write_text("not ours", encoding="utf-8")
    assert len(read_runs(run_folder)) == 1


def test_provenance(run_folder):
    found = summary_of(run_folder).provenance
    assert found.responses == {"reducer": ("mean_centered",)} and found.origins == (Origin("drawn", "", "original"),)
    assert (found.settings["model"], found.settings["lmms_eval_version"]) == ("pixfound", "0.7.3")
    shown = as_texts(found)
    assert (shown["model"], shown["origin"], shown["responses"]) == ("pixfound", "drawn", {"reducer": "mean_centered"})


def test_the_commit_of_the_folder_is_no_version_of_the_host(run_folder):
    """lmms-eval writes the branch and commit of the clone in which it was started."""
    file = next(run_folder.glob("*/*_results.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lmms_eval_version": "main@cc821a7"}))
    (run,) = read_runs(run_folder)
    assert run.settings["lmms_eval_version"] is None
    assert "cc821a7" not in rendered(run_folder)


def test_page_loads_nothing(run_folder):
    text = rendered(run_folder, {"pixmini": {"1": IMAGE}})
    assert not re.search(r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:|//)|url\((?!#)|@import""", text)
    assert "default-src 'none'" in text


def test_hostile_text_stays_text(run_folder):
    write_results(run_folder / "maker__model", model_args=HOSTILE)
    text = rendered(run_folder)
    assert HOSTILE not in text and "<img src=x" not in text
    assert text.count("</script>") == 7  # of five blocks, of the data and of the script
    assert html.escape(HOSTILE) in text
    (block,) = re.findall(r'<script type="text/plain" id="block-0">([A-Za-z0-9+/=]*)</script>', text)
    assert data_of(text)["runs"][0]["answers"][0]["ground"]["block"] == 0
    assert gallery.unpacked(block)["phrases"][0]["text"] == HOSTILE
    assert HOSTILE in data_of(text)["documents"]["pixmini"]["1"]["question"]


def test_page_takes_any_text_of_a_model(run_folder):
    """Half of a surrogate pair is a JSON string, but no UTF-8."""
    write_results(run_folder / "maker__model", model_args="\ud83d")
    runs = read_runs(run_folder)
    written = page.write_page(runs, [summarize(run) for run in runs], run_folder / "page", {})
    assert "</html>" in written.read_text(encoding="utf-8")


def test_command_writes_page_and_numbers(run_folder):
    result = invoke("report", run_folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(run_folder / "report" / "index.html")
    assert f"partial: 5 of {get_benchmark('pixmini').document_count}" in result.stdout
    assert "64.0" in result.stdout
    assert result.stderr == f"reading {run_folder} ...\n"  # no bar where there is no terminal
    (values,) = json.loads((run_folder / "report" / "report.json").read_text())
    assert values["accuracy"] == 0.8
    assert values["when"]["location_bins"] == [4, *[0] * 9]
    assert values["failures"]["choice"]["paper"]["units"]["both_right"] == [["1", "2"]]
    again = invoke("report", run_folder)  # its own output is no part of the run
    assert again.exit_code == 0


def test_scores_have_their_intervals(run_folder):
    """One of two whole pairs is right: Wilson's interval of 1 of 2 is 0.0945 to 0.9055; IoUs are of three pairs."""
    result = invoke("report", run_folder)
    (values,) = json.loads((run_folder / "report" / "report.json").read_text())
    found = values["intervals"]
    answering = found["answering"]
    assert (answering["value"], answering["units"]) == (0.5, 2)
    assert (answering["low"], answering["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert found["grounding"]["value"] == values["grounding"] and found["grounding"]["units"] == 3
    assert found["grounding"]["low"] < values["grounding"] < found["grounding"]["high"]
    assert found["score"]["value"] == values["score"]
    assert found["open_answering"]["low"] is None and found["open_answering"]["reason"]
    assert "9\N{EN DASH}91" in result.stdout
    page = (run_folder / "report" / "index.html").read_text()
    assert "<small>9\N{EN DASH}91</small>" in page


def test_command_writes_elsewhere(run_folder, tmp_path):
    result = invoke("report", run_folder, "--out", tmp_path / "elsewhere")
    assert result.stdout.splitlines()[-1] == str(tmp_path / "elsewhere" / "index.html")
    assert not (run_folder / "report").exists()


def test_missing_folder(tmp_path):
    assert "lmms-eval wrote with --output_path" in error_of(invoke("report", tmp_path / "nowhere"))


def test_folder_without_a_run(tmp_path):
    assert "found neither samples nor results" in error_of(invoke("report", tmp_path))


def test_a_folder_of_runs_names_them(run_folder):
    said = error_of(invoke("report", run_folder.parent))
    assert f"found folders with samples ({run_folder.name})" in said and str(run_folder) in said


def test_run_without_samples(tmp_path):
    write_results(tmp_path)
    assert "run lmms-eval again with --log_samples" in error_of(invoke("report", tmp_path))


def test_run_of_other_tasks(tmp_path):
    write_samples(tmp_path, "mme", [{"doc_id": 0}])
    error = error_of(invoke("report", tmp_path))
    assert f"samples of other tasks only ({DATE}_samples_mme.jsonl)" in error
    assert "pixmini_vqa, pixmini_vqa_open, pixmini_ground" in error


@pytest.mark.parametrize("line", ["{", '{"doc_id": 0}', '{"pixfound": {"benchmark": "pixmini"}}', "[]"])
def test_unreadable_sample_is_named(run_folder, line):
    file = run_folder / "maker__model" / f"{DATE}_samples_pixmini_vqa.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + line, encoding="utf-8")
    assert f"{file.name}, line 6, but got" in error_of(invoke("report", run_folder))


def test_images_that_cannot_be_had_are_a_warning(monkeypatch):
    monkeypatch.undo()
    import pixfound_tasks.benchmarks

    def fail(name):
        raise OSError("set PIXFOUND_DATA")

    monkeypatch.setattr(pixfound_tasks.benchmarks, "images", fail)
    warnings = []
    sink = logger.add(warnings.append, level="WARNING", format="{message}")
    try:
        assert pictures.load(["pixmini"]) == {}
    finally:
        logger.remove(sink)
    (warning,) = warnings
    assert "The images of pixmini are not available" in warning and "set PIXFOUND_DATA" in warning


def test_tasks_path():
    result = invoke("tasks-path")
    assert result.exit_code == 0
    assert result.stdout.strip().endswith("task_yamls")


def test_importing_the_command_stays_light():
    code = "import sys, pixfound_tasks.cli.app; print({'torch', 'lmms_eval', 'datasets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_null_character_of_a_model_is_written_to_csv_as_a_replacement(tmp_path):
    export._write_table(tmp_path / "table.csv", [{"answer": "a\0b", "iou": 0.5}])
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines() == [
        "answer,iou",
        "a\N{REPLACEMENT CHARACTER}b,0.5",
    ]
