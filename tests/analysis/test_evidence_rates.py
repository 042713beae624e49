from __future__ import annotations

import json
import math

import pytest

from pixfound_tasks.analysis.evidence import Asking, EvidenceFacts, Flips, analyse, cross, facts, rates

LEFT_OUT = {"without_region": 3, "without_control": 2}


def samples(id, answers, pair=0, pattern="Text"):
    """A document's samples as a log has them, of its answers to plain, evidence and control."""
    document = {"id": id, "pair": pair, "pattern": pattern, "left_out": LEFT_OUT}
    kinds = zip(("plain", "evidence", "control"), answers)
    logged = [{"score": Asking(id, kind, answer), "pixfound": {**document, "kind": kind}} for kind, answer in kinds]
    return json.loads(json.dumps(logged))


def fact(id, evidence, control=False, pair=None, pattern="Text"):
    return EvidenceFacts(str(id), pair, pattern, Flips(evidence, control))


def test_a_run_by_hand():
    """Five documents; evidence flips 1, 2 and 3, control flips 3; the last was not asked all three times."""
    run = [
        *samples("1", [0, 1, 0], pair=0),
        *samples("2", [1, None, 1], pair=0, pattern="Color"),
        *samples("3", [0, 1, 1], pair=1),
        *samples("4", [None, None, None], pair=1),
        *samples("5", [0, 1], pair=2),
    ]
    for order in (run, run[::-1], run[1::2] + run[::2]):
        found = analyse(order)
        assert (found.incomplete, found.left_out) == (1, LEFT_OUT)
        overall = found.overall
        assert (overall.documents, overall.evidence_count, overall.control_count) == (4, 3, 1)
        assert (overall.evidence.value, overall.control.value, overall.difference.value) == (0.75, 0.25, 0.5)
        assert overall.difference.units == 2
        assert {name: rate[:3] for name, rate in found.by_pattern.items()} == {"Color": (1, 1, 0), "Text": (3, 2, 1)}


def test_documents_without_a_pattern_are_in_none():
    found = analyse(samples("ADE_1", [0, 1, 0], pair=None, pattern=""))
    assert found.by_pattern == {} and found.overall.documents == 1
    assert facts(samples("ADE_1", [0, 1, 0], pair=None))[0].unit == ("image", "ADE_1")


def test_nothing_gives_nan_with_a_reason():
    found = analyse([])
    assert (found.overall.documents, found.left_out) == (0, {})
    for interval in found.overall[3:]:
        assert math.isnan(interval.value) and interval.reason


def test_a_rate_of_none_or_all_still_has_a_width():
    # Wilson's end for 0 of n: z^2 / (n + z^2) with z^2 = 3.8415; of 40 images in 20 pairs n is 20.
    found = rates([fact(number, True, pair=number // 2) for number in range(40)])
    assert (found.control.value, found.control.low) == (0.0, 0.0)
    assert found.control.high == pytest.approx(3.8415 / 23.8415, abs=1e-5)
    assert (found.evidence.value, found.evidence.high) == (1.0, 1.0)
    assert found.evidence.low == pytest.approx(20 / 23.8415, abs=1e-5)
    assert found.difference.value == 1.0 and found.difference.reason == "every resample gives the same value"


def test_the_difference_is_taken_document_by_document():
    """Evidence flips just where control does, for half of 100: rates have a width, their difference has none."""
    found = rates([fact(number, number % 2 == 0, number % 2 == 0) for number in range(100)])
    assert found.evidence[:3] == found.control[:3]
    assert found.evidence.low == pytest.approx(0.4, abs=0.02) and found.evidence.high == pytest.approx(0.6, abs=0.02)
    assert found.difference.value == 0.0 and found.difference.reason == "every resample gives the same value"


def test_pairs_are_drawn_whole():
    # Both images alike: as much as one image of each, and so wider by the root of two than 200 images apart.
    def width(found):
        return found.difference.high - found.difference.low

    paired = rates([fact(number, number // 2 % 2 == 0, pair=number // 2) for number in range(200)])
    single = rates([fact(number, number % 2 == 0) for number in range(200)])
    assert (paired.difference.units, single.difference.units) == (100, 200)
    assert width(paired) / width(single) == pytest.approx(math.sqrt(2), rel=0.1)


def test_crossed_with_grounding_by_hand():
    """Of 40 grounded documents 30 flip on evidence alone, of 40 others 10, and 4 of those on control alone."""
    found = [fact(number, number < 30) for number in range(40)]
    found += [fact(number, number < 50, number >= 76) for number in range(40, 80)]
    found += [fact("none", True), fact("nan", True), fact("missing", True)]
    ious = {str(number): 0.51 if number < 40 else 0.5 for number in range(80)} | {"none": None, "nan": math.nan}
    crossed = cross(found, ious)
    assert crossed.unmeasured == 3
    assert crossed.grounded[:3] == (40, 30, 0) and crossed.ungrounded[:3] == (40, 10, 4)
    assert crossed.grounded.difference.value == pytest.approx(0.75)
    assert crossed.ungrounded.difference.value == pytest.approx(0.15)
    assert crossed.gain.value == pytest.approx(0.6)
    # Standard error: sqrt(0.75 * 0.25 / 40 + (14 / 40 - 0.15^2) / 40) = 0.113; two of them each way, about.
    assert crossed.gain.low == pytest.approx(0.6 - 1.96 * 0.113, abs=0.03)
    assert crossed.gain.high == pytest.approx(0.6 + 1.96 * 0.113, abs=0.03)


def test_where_everything_is_grounded_there_is_no_gain():
    crossed = cross([fact(number, True) for number in range(3)], dict.fromkeys("012", 1.0))
    assert crossed.ungrounded.documents == 0 and math.isnan(crossed.gain.value) and crossed.gain.reason
