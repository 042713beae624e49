"""Two runs whose differences are known."""

import json

import pytest
from two_runs import SURE, by_score, choice, compared, found, invoke, write, write_five_pairs_apart
from written_run import of_pixcvbench, vqa_sample, write_samples


@pytest.fixture
def five_pairs_apart(tmp_path):
    return write_five_pairs_apart(tmp_path)


def test_mcnemar_by_hand(five_pairs_apart):
    """Of five discordant pairs the second run has one: P(X <= 1) of Binomial(5, 1/2) is 6/32, and twice that 12/32.

    Pairs right: 7 and 4 of 10. Images right: 17 and 14 of 20.
    """
    found = by_score(compared(*five_pairs_apart))
    pairs = found["answering"]
    assert (pairs["only_first"], pairs["only_second"], pairs["test"]) == (4, 1, "McNemar, exact")
    assert pairs["p_value"] == pytest.approx(12 / 32, abs=1e-12)
    assert (pairs["first"], pairs["second"], pairs["effect"]) == (0.7, 0.4, pytest.approx(-0.3))
    assert pairs["low"] < -0.3 < 0 < pairs["high"] and (pairs["units"], pairs["left_out"]) == (10, 0)
    assert (found["accuracy"]["first"], found["accuracy"]["second"]) == (0.85, 0.7)
    assert found["accuracy"]["effect"] == pytest.approx(-0.15) and found["accuracy"]["units"] == 10


def test_scores_by_hand(five_pairs_apart):
    """M falls by 0.2 everywhere, so that no resample differs; S from 2 * 0.7 * 0.8 / 1.5 to 2 * 0.4 * 0.6 / 1.0."""
    found = by_score(compared(*five_pairs_apart))
    assert list(found) == ["answering", "accuracy", "grounding", "oracle_miou", "score"]
    assert found["grounding"]["effect"] == found["oracle_miou"]["effect"] == pytest.approx(-0.2)
    assert found["grounding"]["low"] is None and "the same value" in found["grounding"]["reason"]
    assert found["score"]["first"] == pytest.approx(1.12 / 1.5) and found["score"]["second"] == pytest.approx(0.48)
    assert found["score"]["effect"] == pytest.approx(0.48 - 1.12 / 1.5)
    assert found["score"]["units"] == 10  # pairs, of answers and of masks alike
    assert found["score"]["low"] < found["score"]["effect"] < found["score"]["high"]


def test_p_values_are_adjusted_for_all_benchmarks_together(five_pairs_apart):
    for run, correct in zip(five_pairs_apart, (3, 1)):
        samples = [of_pixcvbench(vqa_sample(str(id)) | {"accuracy": float(id <= correct)}) for id in range(1, 5)]
        write(run, benchmark="pixcvbench", vqa=samples)
    benchmarks = json.loads(invoke(*five_pairs_apart, "--json", "-").stdout)["benchmarks"]
    assert [each["benchmark"] for each in benchmarks] == ["pixcvbench", "pixmini"]
    differences = [each for benchmark in benchmarks for each in benchmark["differences"]]
    p_values = {each["p_value"]: each["p_adjusted"] for each in differences if each["p_value"] is not None}
    # Six scores; M and the oracle fall by the same everywhere, which gives no p-value: four are left.
    assert len(differences) == 6 and len(p_values) == 4
    assert p_values[min(p_values)] == pytest.approx(4 * min(p_values))
    assert p_values[max(p_values)] == max(p_values.values())
    # Without pairs images are the units: 3 and 1 of 4 right, two of them in the first run alone.
    images = benchmarks[0]["differences"][0]
    assert (images["units"], images["only_first"], images["only_second"], images["p_value"]) == (4, 2, 0, 0.5)
    assert "accuracy" not in by_score(benchmarks[0])  # which is A


def test_what_flipped(five_pairs_apart):
    """Image 2k+2 of pair k flips, and its pair; all IoUs stay above 0.5."""
    flips = {each["what"]: each for each in compared(*five_pairs_apart)["flips"]}
    assert flips["answers"] == {"what": "answers", "compared": 20, "lost": ["2", "4", "6", "8"], "gained": ["10"]}
    assert flips["pairs answered"]["lost"] == ["1+2", "3+4", "5+6", "7+8"]
    assert (flips["pairs answered"]["gained"], flips["pairs answered"]["compared"]) == (["9+10"], 10)
    assert flips["grounded"]["lost"] == flips["pairs grounded"]["lost"] == []


def test_grounded_is_above_a_half(tmp_path):
    """In the second run image 1 falls to 0.5, which finds nothing; image 4 rises to 0.6; nobody asks for image 5."""
    ious = {1: (6, 5), 2: (6, 7), 3: (9, 9), 4: (5, 6), 5: (10, 0)}
    runs = [
        write(
            tmp_path / name,
            ground=[
                found(id, both[side], expression=None if id == 5 else "it") | ({"miou": None} if id == 5 else {})
                for id, both in ious.items()
            ],
        )
        for side, name in enumerate("ab")
    ]
    comparison = compared(*runs)
    flips = {each["what"]: each for each in comparison["flips"]}
    assert (flips["grounded"]["lost"], flips["grounded"]["gained"], flips["grounded"]["compared"]) == (["1"], ["4"], 4)
    assert (flips["pairs grounded"]["lost"], flips["pairs grounded"]["gained"]) == (["1+2"], ["3+4"])
    assert [each["id"] for each in comparison["regressions"]] == ["1"]
    assert by_score(comparison)["grounding"]["effect"] == pytest.approx(0.1 / 4)


def test_worst_regressions_first(tmp_path):
    """IoUs fall by 0.1, 0.3, 0.2 and 0.3; of equal ones the first image comes first; image 5 rises."""
    falls = {1: 9, 2: 7, 3: 8, 4: 7, 5: 10}
    first = write(tmp_path / "a", vqa=[choice(2, True)], ground=[found(id, 8 if id == 5 else 10) for id in falls])
    second = write(tmp_path / "b", vqa=[choice(2, False)], ground=[found(id, n, "Or not") for id, n in falls.items()])
    regressions = compared(first, second)["regressions"]
    assert [each["id"] for each in regressions] == ["2", "4", "3", "1"]
    assert regressions[0] == {
        "id": "2", "expression": "the red square", "question": "Is it red?", "first_iou": 1.0, "second_iou": 0.7,
        "first_right": True, "second_right": False, "first_text": "See it", "second_text": "Or not",
    }  # fmt: skip
    lines = invoke(first, second, "--worst", 1).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "change in IoU" in line)
    assert lines[at + 2].split()[:7] == ["2", "the", "red", "square", "-30.0", "100.0", "70.0"]
    assert "correct → incorrect" in lines[at + 2]
    assert "and 3 more images whose IoU fell" in "".join(lines[at + 3 :])
    assert "change in IoU" not in invoke(first, second, "--worst", 0).stdout


def test_a_partial_run_is_compared_on_what_both_have(five_pairs_apart):
    """The second run has images 1 to 5: two whole pairs, both wrong in it, and right in the first."""
    first, second = five_pairs_apart
    write(second, vqa=[choice(id, id % 2 == 1) for id in range(1, 6)], ground=[found(id, 6) for id in range(1, 6)])
    comparison = compared(first, second)
    assert (comparison["documents"], comparison["only_first"], comparison["only_second"]) == (5, 15, 0)
    scores = by_score(comparison)
    assert (scores["answering"]["units"], scores["answering"]["left_out"]) == (2, 8)
    assert (scores["answering"]["first"], scores["answering"]["second"]) == (1.0, 0.0)
    assert (scores["grounding"]["units"], scores["grounding"]["left_out"]) == (3, 15)
    swapped = compared(second, first)
    assert (swapped["only_first"], swapped["only_second"]) == (0, 15)
    assert by_score(swapped)["answering"]["effect"] == 1.0
    heading = invoke(first, second).stdout.splitlines()[0]
    assert heading == "pixmini: 5 documents compared; left out: 15 only in the first run, 0 only in the second"


def test_open_answers_and_their_masks(tmp_path):
    """A-dagger of one pair: right, wrong. Masks came with both; IoUs 0.5 and 0.5 against 0.5 and 0.1."""
    answers = {
        "a": [choice(1, True, "open") | {"miou": [0.5, True]}, choice(2, True, "open") | {"miou": [0.5, True]}],
        "b": [choice(1, True, "open") | {"miou": [0.5, True]}, choice(2, False, "open") | {"miou": [0.1, True]}],
    }
    scores = by_score(compared(*(write(tmp_path / name, vqa_open=samples) for name, samples in answers.items())))
    assert list(scores) == ["open_answering", "open_accuracy", "open_grounding", "score"]
    assert (scores["open_answering"]["first"], scores["open_answering"]["second"]) == (1.0, 0.0)
    assert scores["open_grounding"]["effect"] == pytest.approx(-0.2)
    samples = [sample | {"miou": [0.0, False]} for sample in answers["b"]]
    no_masks = write(tmp_path / "c", vqa_open=samples)
    assert list(by_score(compared(tmp_path / "a", no_masks))) == ["open_answering", "open_accuracy"]


def test_a_run_does_not_differ_from_itself(five_pairs_apart):
    comparison = compared(five_pairs_apart[0], five_pairs_apart[0])
    for each in comparison["differences"]:
        assert (each["effect"], each["p_value"], each["p_adjusted"]) == (0, 1, 1)
    assert not comparison["regressions"] and not comparison["settings"] and not comparison["warnings"]


def test_the_oracle_of_a_when_task(tmp_path):
    """IoUs of 0.9 and 0.4 of the only candidates, in a task that has no score of its own."""
    runs = []
    for name, columns in (("a", 9), ("b", 4)):
        sample = found(1, columns)
        del sample["miou"]
        write_samples(tmp_path / name / SURE, "pixmini_when", [sample | {"oracle_miou": columns / 10}])
        runs.append(tmp_path / name)
    scores = by_score(compared(*runs))
    assert list(scores) == ["oracle_miou"] and scores["oracle_miou"]["effect"] == pytest.approx(-0.5)
