"""Which runs are compared, what is said of how they were made, and how all of it is printed."""

import json

import pytest
from two_runs import SURE, by_score, choice, compared, error_of, found, invoke, rights, write, write_five_pairs_apart
from written_run import of_pixcvbench, vqa_sample, write_run


@pytest.fixture
def five_pairs_apart(tmp_path):
    return write_five_pairs_apart(tmp_path)


def test_what_stands_between_the_runs_is_said(tmp_path):
    made = {"segmenter": "region", "select": "first", "reducer": "mean", "seed": 0, "prompt": "any"}
    first = write(tmp_path / "a", ground=[found(1, 8, provenance=made), found(2, 8, provenance=made)])
    changed = made | {"segmenter": "sam:large", "select": "similarity", "reducer": "mean_centered", "prompt": "other"}
    samples = [found(id, 8, provenance=changed, origin="elsewhere", answer="b" if id == 2 else "a") for id in (1, 2)]
    second = write(tmp_path / "b", ground=samples, model_args="other")
    comparison = compared(first, second)
    assert comparison["warnings"] == [
        "the data differs: origin is drawn in the first run and elsewhere in the second",
        "the selection differs: select is first in the first run and similarity in the second",
        "the segmenter differs: segmenter is region in the first run and sam:large in the second",
        "the prompts of 2 of 2 documents differ (ground), such as 'any' in the first run and 'other' in the second",
        "the runs are of different data: documents of the same id differ (answer of 1 of 2)",
    ]
    assert [(each["name"], each["matters"]) for each in comparison["settings"]] == [
        ("origin", True), ("select", True), ("segmenter", True), ("reducer", False), ("model_args", False),
    ]  # fmt: skip
    text = " ".join(invoke(first, second).stdout.split())
    assert "Warning: the segmenter differs" in text and "reducer mean mean_centered" in text


def test_prompts_are_those_of_the_task_unless_the_model_had_its_own(tmp_path):
    samples = [found(1, 8), found(2, 8, provenance={"prompt": "Find it"})]
    first = write(tmp_path / "a", ground=[found(1, 8), found(2, 8)])
    second = write(tmp_path / "b", ground=samples)
    assert compared(first, second)["warnings"] == [
        "the prompts of 1 of 2 documents differ (ground), such as 'Identify' in the first run and 'Find it' in the "
        "second"
    ]


def test_what_only_one_kind_of_grounding_has_is_no_warning(tmp_path):
    attended, drawn = {"grounding": "attention", "phrases": "rules", "segmenter": "region"}, {"grounding": "own"}
    first = write(tmp_path / "a", ground=[found(1, 8, provenance=attended)])
    second = write(tmp_path / "b", ground=[found(1, 8, provenance=drawn)])
    comparison = compared(first, second)
    assert comparison["warnings"] == [
        "the grounding differs: grounding is attention in the first run and own in the second"
    ]
    assert {"phrases", "segmenter"} <= {each["name"] for each in comparison["settings"]}


def test_brief_is_the_scores_alone(five_pairs_apart):
    whole, brief = (invoke(*five_pairs_apart, *options).stdout for options in ((), ("--brief",)))
    assert "McNemar" in brief and "flipped" in whole and "flipped" not in brief
    assert brief.splitlines()[:3] == whole.splitlines()[:3]


def test_judges_are_told_apart(tmp_path):
    runs = []
    for by in ("rule", "openai:some"):
        sample = choice(1, True, "open") | {"judgement": {"by": by, "verdict": True}}
        runs.append(write(tmp_path / by, vqa_open=[sample]))
    assert compared(*runs)["warnings"] == [
        "the judge of open answers differs: judges is rule in the first run and openai:some in the second"
    ]


def test_judges_of_masks_are_told_apart_by_name(tmp_path):
    """What a judge was asked is noted too, and differs from image to image."""
    runs = []
    for name in ("self", "openai:some"):
        notes = [{"judge": {"name": name, "exchanges": [{"prompt": f"{id}?"}]}, "select": "judge"} for id in (1, 2)]
        runs.append(write(tmp_path / name, ground=[found(id, 8, provenance=note) for id, note in enumerate(notes, 1)]))
    assert compared(*runs)["warnings"] == [
        "the judge of masks differs: judge is self in the first run and openai:some in the second"
    ]
    assert [each["name"] for each in compared(*runs)["settings"]] == ["judge"]


def test_one_of_several_models_is_chosen(five_pairs_apart):
    first, second = five_pairs_apart
    write(first, folder="maker__other", vqa=rights(4))
    results = json.loads((first / SURE / "20260102_030405_results.json").read_text())
    (first / "maker__other" / "20260102_030405_results.json").write_text(json.dumps(results | {"model_name": "other"}))
    error = error_of(invoke(first, second))
    assert "expected one model in" in error and "but got maker/model, other; choose one with --model-a." in error
    assert compared(first, second, "--model-a", "other")["first"] == {"model": "other", "folder": str(first)}
    error = error_of(invoke(first, second, "--model-a", "othre"))
    assert "expected --model-a to be one of ['maker/model', 'other'], but got 'othre'; did you mean 'other'?" in error
    # Two models of one folder.
    within = compared(first, first, "--model-a", "maker/model", "--model-b", "other")
    assert by_score(within)["answering"]["effect"] == pytest.approx(0.1 - 0.7)
    assert "choose one with --model-b" in error_of(invoke(second, first))


def test_nothing_in_common(five_pairs_apart, tmp_path):
    other = write(tmp_path / "c", benchmark="pixcvbench", vqa=[of_pixcvbench(vqa_sample("1"))])
    error = error_of(invoke(five_pairs_apart[0], other))
    assert "expected a benchmark that both runs have, but got pixmini and pixcvbench" in error
    first, second = write(tmp_path / "d", vqa=rights()), write(tmp_path / "e", ground=[found(1, 5)])
    error = error_of(invoke(first, second))
    assert (
        "expected one of vqa, vqa_open, ground, when of pixmini in both runs, but got vqa and ground; evaluate" in error
    )
    apart = write(tmp_path / "f", vqa=[choice(99, True)])
    assert "expected documents of pixmini that both runs have" in error_of(invoke(first, apart))
    assert "does not exist; check the path" in error_of(invoke(first, tmp_path / "nowhere"))


def test_json_goes_to_a_file_beside_the_tables(five_pairs_apart, tmp_path):
    done = invoke(*five_pairs_apart, "--json", tmp_path / "out.json")
    assert done.exit_code == 0 and "second \N{MINUS SIGN} first" in done.stdout
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["schema"] == "pixfound-compare/1"
    assert written["benchmarks"] == [compared(*five_pairs_apart)]
    row = next(line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["A"])
    assert row[1] == "-30.0" and row[3] == "to" and row[5:10] == ["70.0", "40.0", "10", "0", "0.375"]
    missing = invoke(*five_pairs_apart, "--json", tmp_path / "no" / "out.json")
    assert "No such file" in error_of(missing)


def test_text_of_models_moves_no_cursor_and_is_no_markup(tmp_path):
    hostile = "\x1b[2J\u202e\ud83d [bold]Text[/bold]\nnew line" + "x" * 1000
    first = write(tmp_path / "a", ground=[found(1, 9, expression=hostile)])
    second = write(tmp_path / "b", ground=[found(1, 3, hostile, {"select": hostile}, expression=hostile)])
    done = invoke(first, second)
    assert done.exit_code == 0
    assert not {"\x1b", "\u202e", "\ud83d"} & set(done.stdout) and "[bold]Text" in done.stdout
    assert invoke(first, second, "--json", "-").exit_code == 0


def test_metrics_of_lmms_eval_that_differ_are_listed(tmp_path):
    first, second = write_run(tmp_path / "first"), write_run(tmp_path / "second")
    for run, values in ((first, {"miou,none": 0.5, "ciou,none": 0.4}), (second, {"miou,none": 0.5, "ciou,none": 0.6})):
        (file,) = run.rglob("*_results.json")
        results = json.loads(file.read_text())
        file.write_text(json.dumps(results | {"results": {"pixmini_ground": values | {"mine,none": 1.0}}}))
    printed = invoke(first, second).stdout
    (row,) = (line.split() for line in printed.splitlines() if "pixmini_ground" in line or "ground." in line)
    assert row == ["ground.ciou", "+20.0", "40.0", "60.0"]
    (found,) = json.loads(invoke(first, second, "--json", "-").stdout)["benchmarks"]
    assert [(each["metric"], round(each["difference"], 9)) for each in found["metrics"]] == [
        ("miou", 0.0),
        ("ciou", 0.2),
    ]
