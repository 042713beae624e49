import pytest

from pixfound_tasks.analysis.best_phrase import EmergenceRecord
from pixfound_tasks.analysis.emergence import summarize
from pixfound_tasks.analysis.emergence_intervals import intervals


def record(image, oracle, chance, **known):
    return EmergenceRecord(str(image), True, 3, oracle, oracle, chance, **known)


def of(records):
    return intervals(records, {found.image: int(found.image) // 2 for found in records})


def test_gain_is_paired_and_drawn_by_pairs():
    """Oracle and chance go up and down together, their difference does not: 0.5 everywhere but for 0.6 in one pair."""
    found = of([record(i, 0.5 + 0.05 * (i // 2) + 0.1 * (i < 2), 0.05 * (i // 2)) for i in range(10)])
    assert (found.gain.value, found.gain.units) == (pytest.approx(0.52), 5)
    assert 0.5 <= found.gain.low < 0.52 < found.gain.high <= 0.6
    assert found.oracle.high - found.oracle.low > found.gain.high - found.gain.low
    assert found.is_above_chance is True


def test_chance_that_is_as_good_is_not_beaten():
    found = of([record(i, 0.5 + 0.1 * (i % 4 < 2), 0.6 - 0.1 * (i % 4 < 2)) for i in range(20)])
    assert found.gain.value == pytest.approx(0.0) and found.is_above_chance is False


def test_without_a_control_it_cannot_be_told():
    found = of([record(i, 0.5, None) for i in range(4)])
    assert found.is_above_chance is None and found.gain.reason == "there is no value"


def test_shares_of_best_phrases_add_up_and_know_those_without_one():
    """Of six images five have a best phrase: two are the expression, three another; concepts of four are known."""
    matches = ["exact", "exact", "other", "other", "other", None]
    concepts = ["part", "part", "part", "state", None, None]
    found = of([record(i, 0.5, 0.1, match=m, concept=c) for i, (m, c) in enumerate(zip(matches, concepts))])
    assert found.exact_phrase_rate == found.matches["exact"]
    assert (found.matches["exact"].value, found.matches["exact"].left_out) == (0.4, 1)
    assert sum(share.value for share in found.matches.values()) == pytest.approx(1)
    assert (found.concepts["part"].value, found.concepts["object"].value) == (0.75, 0.0)
    assert found.concepts["object"].high > 0  # none of four says little


def test_a_phrase_with_two_concepts_counts_for_both():
    """Of four phrases, three with a concept: part twice, state twice, object never; shares of those three."""
    records = [record(i, 0.5, 0.1, concept=c) for i, c in enumerate(["part", "part, state", "state", None])]
    found = of(records)
    assert found.concepts["part"].value == found.concepts["state"].value == pytest.approx(2 / 3)
    assert (found.concepts["object"].value, found.concepts["object"].left_out) == (0.0, 1)
    counts = summarize(records).concepts
    assert counts == {"appearance": 0, "location": 0, "part": 2, "context": 0, "object": 0, "state": 2}


def test_medians_are_of_tokens_and_of_characters():
    found = of([record(i, 0.5, 0.1, token_location=i / 10, char_location=0.9) for i in range(9)])
    assert found.median_location.value == pytest.approx(0.4)
    assert found.median_location.low < 0.4 < found.median_location.high
    assert found.median_char_location.value == 0.9


def test_hits_are_compared_where_both_are_known():
    found = of([record(i, 0.5, 0.1, hit_share=0.5, chance_hit_share=0.25 if i else None) for i in range(6)])
    assert (found.hit_gain.value, found.hit_gain.left_out) == (0.25, 1)
