"""What reports say of a run whose choice answers a judge graded, and whose phrases have several concepts."""

from two_runs import choice, compared, found, write
from written_run import ground_sample, write_samples

from pixfound_tasks.report.leaderboard import rows
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.summary import summarize

JUDGE = "openai:some (study's prompt)"


def graded(id, by):
    return choice(id, True) | ({"judgement": {"by": by, "verdict": True, "reply": "Yes"}} if by else {})


def summary_of(folder):
    (run,) = read_runs(folder)
    return summarize(run)


def test_runs_graded_by_a_judge_and_by_the_rule_are_told_apart(tmp_path):
    by_rule, by_judge = (
        write(tmp_path / name, vqa=[graded(1, by), graded(2, by)]) for name, by in (("rule", None), ("judge", JUDGE))
    )
    assert compared(by_rule, by_judge)["warnings"] == [
        f"the judge of choice answers differs: choice_judges is not recorded in the first run and {JUDGE} in the second"
    ]
    assert summary_of(by_rule).provenance.choice_judges == () and summary_of(by_rule).provenance.judges == ()
    assert summary_of(by_judge).provenance.choice_judges == (JUDGE,)
    rules = [row["settings"]["answer_rule"] for row in rows([summary_of(by_rule), summary_of(by_judge)])]
    assert rules == ["paper", f"judge {JUDGE}"]


def test_judges_of_masks_by_the_studys_rules_are_told_apart(tmp_path):
    runs = []
    for name, more in (("openai:m", {}), ("openai:m (study's rules)", {"judging": "study"})):
        made = {"select": "judge", "judge": {"name": name, "status": "absent", "exchanges": []}, **more}
        runs.append(write(tmp_path / str(len(runs)), ground=[found(1, 8, provenance=made)]))
    assert compared(*runs)["warnings"] == [
        "the judge of masks differs: judge is openai:m in the first run and openai:m (study's rules) in the second"
    ]
    assert [row["settings"]["mask_judge"] for row in rows(map(summary_of, runs))] == [
        "openai:m", "openai:m (study's rules)",
    ]  # fmt: skip


def test_a_logged_phrase_with_two_concepts_counts_for_both(tmp_path):
    """Images 1 and 2 have the object and a best phrase; a name that is no concept is left out."""
    samples = [
        ground_sample(id) | {"concept": concept, "classified_by": "a judge", "chance_miou": 0.1}
        for id, concept in (("1", "part, appearance"), ("2", "appearance, colour"))
    ]
    write_samples(tmp_path / "model", "pixmini_when", samples)
    when = summary_of(tmp_path).when
    assert {name: count for name, count in when.concepts.items() if count} == {"appearance": 2, "part": 1}
    assert when.intervals.concepts["part"].value == 0.5 and when.classified_by == "a judge"
    assert [record.concept for record in when.records] == ["part, appearance", "appearance"]
