"""Requirements on runs whose results are written here by hand."""

import pytest
from written_results import DATE, DOCUMENTS, SCORES, failure, invoke, results, verdicts, write


@pytest.fixture(autouse=True)
def no_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def run(tmp_path):
    write(tmp_path / "run", results(SCORES))
    return tmp_path / "run"


def test_one_line_each_and_status_0(run):
    done = invoke(run, "pixmini.score>=0.3", "pixmini_vqa.unparsed<=0.02")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "ok    pixmini.score>=0.3          maker/model  0.5000",
        "ok    pixmini_vqa.unparsed<=0.02  maker/model  0.0000",
    ]


def test_one_that_falls_short_is_enough_for_status_1(run):
    done = invoke(run, "pixmini.score>=0.3", "pixmini_vqa.score >= .45")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1] == "FAIL  pixmini_vqa.score >= .45  maker/model  it is 0.4000"


@pytest.mark.parametrize(
    ("requirement", "passes"),
    [
        ("pixmini_vqa.score>=0.4", True),
        ("pixmini_vqa.score>0.4", False),
        ("pixmini_vqa.score<=0.4", True),
        ("pixmini_vqa.score<0.4", False),
        ("pixmini_vqa.score==0.4", True),
        ("pixmini_vqa.score==0.41", False),
        ("pixmini_vqa.accuracy==0.3", True),  # 0.30000000000000004 as it was summed
        ("pixmini_vqa.accuracy<=3e-1", True),
        ("pixmini_vqa.accuracy>0.3", False),
        ("pixmini_ground.score<0.667", True),
        ("pixmini_vqa.score,none>=0.4", True),
    ],
)
def test_operators(run, requirement, passes):
    (found,) = verdicts(run, requirement)
    assert found["passed"] is passes
    assert found["status"] == ("passed" if passes else "short")


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("pixmini", "expected TASK.METRIC, one of >= <= == > <, and a number, such as pixmini.score>=0.3"),
        ("score>=0.3", "but got 'score>=0.3'"),
        ("pixmini.score=0.3", "but got 'pixmini.score=0.3'"),
        ("pixmini.score>=nan", "but got 'pixmini.score>=nan'"),
        ("pixmini.score>=30%", "but got 'pixmini.score>=30%'"),
        ("pixmini.score>=30", "expected a fraction in 0..1 in 'pixmini.score>=30', but got 30; if you mean percent, "
         "write pixmini.score>=0.3"),
        ("pixmmvp_vqa_lang.drop<=5", "write pixmmvp_vqa_lang.drop<=0.05"),
    ],
)  # fmt: skip
def test_requirements_that_cannot_be_meant(run, requirement, said):
    done = invoke(run, "pixmini.score>=0.3", requirement)
    assert done.exit_code == 2 and said in done.stderr and not done.stdout


def test_other_tasks_may_have_other_scales(tmp_path):
    write(tmp_path, results({"mme": {"score": 1500.0}}))
    assert invoke(tmp_path, "mme.score>=1400").exit_code == 0


def test_without_a_requirement_nothing_is_checked(run):
    done = invoke(run)
    assert done.exit_code == 2 and "--require" in done.stderr


def test_no_run(tmp_path):
    status, line = failure(tmp_path / "nowhere", "pixmini.score>=0.3")
    assert status == "missing" and "does not exist; give the folder that was lmms-eval's --output_path" in line


def test_a_failed_evaluation_leaves_no_results(tmp_path):
    status, line = failure(tmp_path, "pixmini.score>=0.3")
    assert status == "missing" and "has no results" in line
    assert "If an evaluation fails, lmms-eval writes no results: read its log" in line
    (found,) = verdicts(tmp_path, "pixmini.score>=0.3")
    assert (found["model"], found["value"], found["file"]) == (None, None, None)


def test_unknown_names_suggest_the_nearest(run):
    status, line = failure(run, "pixmini_vq.score>=0.3")
    assert status == "missing"
    assert "the run has no pixmini_vq (did you mean pixmini_vqa?), but pixmini, pixmini_ground, pixmini_vqa" in line
    status, line = failure(run, "pixmini_vqa.acuracy>=0.3")
    assert status == "missing"
    assert "pixmini_vqa has no acuracy (did you mean accuracy?), but accuracy, score, unparsed" in line


def test_a_run_without_scores_says_so(run):
    for metrics in ({}, {"bypass": 999}):
        write(run, results({"pixmini_vqa": metrics}))
        status, line = failure(run, "pixmini_vqa.score>=0.3")
        assert status == "missing" and "no scores, as in a run with --predict_only; run it again without" in line


@pytest.mark.parametrize("name", ["unparsed", "unjudged"])
def test_a_score_over_mostly_unreadable_answers_does_not_pass(run, name):
    write(run, results({"pixmini_vqa": {"score": 0.4, name: 0.6}}))
    status, line = failure(run, "pixmini_vqa.score>=0.1")
    assert status == "unreadable" and f"60% of the answers of pixmini_vqa are {name}" in line
    assert f"--require 'pixmini_vqa.{name}<=1' accepts them" in line
    done = invoke(run, "pixmini_vqa.score>=0.1", f"pixmini_vqa.{name}<=1")
    assert done.exit_code == 0
    write(run, results({"pixmini_vqa": {"score": 0.4, name: 0.5}}))
    assert invoke(run, "pixmini_vqa.score>=0.1").exit_code == 0


def test_metric_of_several_filters_must_be_named(run):
    content = results({"pixmini_vqa": {"score": 0.4}})
    content["results"]["pixmini_vqa"]["score,strict"] = 0.2
    write(run, content)
    status, line = failure(run, "pixmini_vqa.score>=0.1")
    assert status == "missing" and "write pixmini_vqa.score,none or pixmini_vqa.score,strict" in line
    assert [each["value"] for each in verdicts(run, "pixmini_vqa.score,strict>=0.1")] == [0.2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "N/A", None, True, []])
def test_what_is_no_number_fails_whatever_is_asked(run, value):
    write(run, results({"pixmini_ground": {"absent_accuracy": value}}))
    for requirement in ("pixmini_ground.absent_accuracy>=0", "pixmini_ground.absent_accuracy<=1"):
        status, line = failure(run, requirement)
        assert status == "undefined" and f"it is {value}" in line


PARTS = {"pixmini_vqa": {"original": DOCUMENTS, "effective": 8}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"limit": 8.0, "counts": PARTS}, f"pixmini_vqa has 8 of {DOCUMENTS} documents (--limit 8)"),
        ({"limit": 0.05, "counts": PARTS}, f"pixmini_vqa has 8 of {DOCUMENTS} documents (--limit 0.05)"),
        ({"counts": PARTS}, f"pixmini_vqa has 8 of {DOCUMENTS} documents;"),
        ({"offset": 5}, "(--offset 5)"),
        ({"limit": 8.0, "counts": {"pixmini_vqa": None}}, "pixmini_vqa (--limit 8)"),
        # Of other data than the benchmark's documents.
        ({"counts": {"pixmini_vqa": {"original": 8, "effective": 8}}}, f"pixmini_vqa has 8 of {DOCUMENTS} documents"),
    ],
)
def test_partial_runs_fail_unless_allowed(tmp_path, settings, said):
    """The group's other task is whole, the group is not."""
    write(tmp_path, results(SCORES, **settings))
    for requirement in ("pixmini_vqa.score>=0.3", "pixmini.score>=0.3"):
        status, line = failure(tmp_path, requirement)
        assert status == "partial" and said in line and "or add --allow-partial" in line
        assert invoke(tmp_path, requirement, options=["--allow-partial"]).exit_code == 0
    (found,) = verdicts(tmp_path, "pixmini.score>=0.6", options=["--allow-partial"])
    assert found["status"] == "short"


def test_a_limit_above_the_number_of_documents_is_none(tmp_path):
    write(tmp_path, results(SCORES, limit=500.0))
    assert invoke(tmp_path, "pixmini.score>=0.3").exit_code == 0


def test_tasks_of_more_rows_than_documents_are_counted_by_rows(tmp_path):
    """Eleven wordings of each document; as many of them as there are documents are not the whole."""
    score, rows = {"pixmini_vqa_lang": {"score": 0.4}}, 11 * DOCUMENTS
    write(tmp_path, results(score, counts={"pixmini_vqa_lang": {"original": rows, "effective": rows}}))
    assert invoke(tmp_path, "pixmini_vqa_lang.score>=0.3").exit_code == 0
    write(tmp_path, results(score, counts={"pixmini_vqa_lang": {"original": rows, "effective": DOCUMENTS}}))
    _, line = failure(tmp_path, "pixmini_vqa_lang.score>=0.3")
    assert f"pixmini_vqa_lang has {DOCUMENTS} of {rows} documents" in line


def test_newest_results_of_each_task(run):
    write(run, results({"pixmini_vqa": {"score": 0.1}}), date="20260103_000000")
    write(run, results({"pixmini_vqa": {"score": 0.9}}), date="20250101_000000")
    found = verdicts(run, "pixmini_vqa.score<=1", "pixmini_ground.score<=1")
    assert [each["value"] for each in found] == [0.1, 2 / 3]
    assert [each["file"][-28:-13] for each in found] == ["20260103_000000", DATE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"results": {"pixmini', "20260103_000000_results.json cannot be read"),
        ("[]", "20260103_000000_results.json has no results"),
        ({"error": "out of memory", "results": {}}, "says that it failed: out of memory"),
        (
            results({}) | {"results": {"pixmini": {"failed": "no document", "score,none": 0.9}}},
            "it failed: no document; read its log, then evaluate again",
        ),
        (results({}) | {"results": {"pixmini": None}}, "it has no metrics, but None"),
    ],
)
def test_newest_results_that_say_of_failure_do(run, content, said):
    write(run, content, date="20260103_000000")
    status, line = failure(run, "pixmini.score>=0.3")
    assert status == "failed" and said in line
    write(run, results(SCORES), date="20260104_000000")  # evaluated again
    assert invoke(run, "pixmini.score>=0.3").exit_code == 0


def test_newer_samples_without_results_are_of_a_failed_evaluation(run):
    file = run / "maker__model" / "20260103_000000_samples_pixmini_ground.jsonl"
    file.write_text("", encoding="utf-8")
    for requirement in ("pixmini_ground.score>=0.3", "pixmini.score>=0.3"):
        status, line = failure(run, requirement)
        assert status == "failed" and "newer samples of pixmini_ground, but no results with them" in line
    assert invoke(run, "pixmini_vqa.score>=0.3").exit_code == 0


def test_every_model_must_satisfy(run):
    write(run, results({"pixmini": {"score": 0.2}}, name="maker/weak"), model="maker__weak")
    done = invoke(run, "pixmini.score>=0.3")
    assert done.exit_code == 1
    assert [line.split()[::2] for line in done.stdout.splitlines()] == [
        ["ok", "maker/model"],
        ["FAIL", "maker/weak", "is"],
    ]
    assert invoke(run, "pixmini.score>=0.3", options=["--model", "maker/model"]).exit_code == 0
    unknown = invoke(run, "pixmini.score>=0.3", options=["--model", "maker/week"])
    assert unknown.exit_code == 2 and "did you mean 'maker/weak'?" in unknown.stderr


def test_replayed_predictions_have_their_own_name(tmp_path):
    content = results(SCORES)
    content["config"] |= {"model": "pixfound_replay", "model_args": "name=LISA,masks=there"}
    write(tmp_path, content)
    assert verdicts(tmp_path, "pixmini.score>=0.3")[0]["model"] == "LISA"
