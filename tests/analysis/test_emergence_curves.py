from __future__ import annotations

import math

import numpy as np
import pytest
from rectangles import SIZE, rectangle

from pixfound_tasks import masks
from pixfound_tasks.analysis.best_phrase import GroundedImage
from pixfound_tasks.analysis.curves import band, curve
from pixfound_tasks.analysis.emergence import analyse
from pixfound_tasks.response import Candidate, Phrase, Response, Selection

TRUTH, NOTHING = rectangle(0, 0, 3, 4), rectangle(0, 0, 0, 0)
NAN = math.nan


def answer(*phrases, tokens=10, selected=None):
    """Phrases by their tokens and their one candidate."""
    found = [Phrase((0.5, 0.5), (Candidate(mask),), tokens=span) for span, mask in phrases]
    return Response("x", phrases=tuple(found), tokens=tokens, selected=selected)


THIRD = answer(
    ((0, 2), rectangle(0, 0, 1, 4)), ((3, 5), rectangle(3, 0, 6, 4)), ((6, 9), rectangle(0, 0, 3, 3))
)  # IoU 4/12, 0 and 9/12


def same(values):
    return pytest.approx(values, abs=1e-12, nan_ok=True)


def test_best_iou_by_place():
    found = curve(THIRD, TRUTH, positions=10)
    assert found.so_far == same([1 / 3] * 6 + [3 / 4] * 4)
    assert found.here == same([1 / 3, 1 / 3, NAN, 0, 0, NAN, 3 / 4, 3 / 4, 3 / 4, NAN])


def test_parts_that_hold_several_tokens():
    found = curve(THIRD, TRUTH, positions=2)  # tokens 0 to 4 and 5 to 9
    assert found.so_far == found.here == same([1 / 3, 3 / 4])


def test_nothing_is_found_before_the_first_phrase():
    found = curve(answer(((7, 8), TRUTH)), TRUTH, positions=5)
    assert found.so_far == (0, 0, 0, 1, 1)
    assert found.here == same([NAN, NAN, NAN, 1, NAN])


def test_for_absent_objects_the_share_that_candidates_cover():
    overlapping = answer(((0, 1), rectangle(0, 0, 3, 4)), ((5, 6), rectangle(2, 0, 4, 4)))  # 12 and 8 of 24 pixels
    found = curve(overlapping, NOTHING, positions=10)
    assert found.so_far == same([12 / 24] * 5 + [16 / 24] * 5)
    assert (found.here[0], found.here[5]) == (12 / 24, 8 / 24)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(tokens=4, selected=Selection("similarity")), (0, 0, 0)),  # looked for, and there are no phrases
        (answer(tokens=4), None),  # a box, say: nothing was looked for along the answer
        (answer(((0, 2), TRUTH), tokens=None), None),
        (answer(((3, 5), TRUTH), tokens=4), None),
        (answer(((0, 0), TRUTH), tokens=4), None),
        (Response(), None),
    ],
)
def test_answers_without_a_curve(response, expected):
    found = curve(response, TRUTH, positions=3)
    assert (found and found.so_far) == expected


def test_against_a_count_of_pixels_token_by_token():
    """With as many parts as tokens, each part is a token: a second way to both curves, on arrays."""
    rng = np.random.default_rng(3)
    for trial in range(30):
        tokens, count = int(rng.integers(3, 9)), int(rng.integers(1, 5))
        starts = rng.integers(0, tokens, count)
        spans = [(int(start), int(rng.integers(start + 1, tokens + 1))) for start in starts]
        drawn = rng.random((count, *SIZE)) < 0.4
        target = rng.random(SIZE) < 0.5 * (trial % 2)
        response = answer(*[(span, masks.encode(mask)) for span, mask in zip(spans, drawn)], tokens=tokens)
        found = curve(response, masks.encode(target), positions=tokens)

        def value(chosen, drawn=drawn, target=target):
            if target.any():
                return max((drawn[i] & target).sum() / (drawn[i] | target).sum() for i in chosen)
            return drawn[chosen].any(axis=0).mean()

        for token in range(tokens):
            begun = [i for i, (start, _) in enumerate(spans) if start <= token]
            here = [i for i in begun if spans[i][1] > token]
            assert found.so_far[token] == same(value(begun) if begun else 0.0)
            assert found.here[token] == same(value(here) if here else NAN)
        assert list(found.so_far) == sorted(found.so_far)


def test_the_band_leaves_out_what_is_not_defined():
    found = band([(0.0, NAN, 1.0), (0.5, NAN, NAN), (1.0, NAN, 0.0), (0.5, NAN, NAN)])
    assert found.mean == same([0.5, NAN, 0.5])
    # Of 0, 0.5, 0.5, 1 the quartiles lie at 0.75 and 2.25 steps: 0.375 and 0.625; of 0, 1 at 0.25 and 0.75.
    assert found.lower == same([0.375, NAN, 0.25])
    assert found.upper == same([0.625, NAN, 0.75])
    assert found.images.tolist() == [4, 0, 2]
    assert all(len(part) == 0 for part in band([]))


def test_found_and_absent_objects_have_bands_of_their_own():
    images = [GroundedImage(str(i), THIRD, target) for i, target in enumerate([TRUTH, NOTHING])]
    images.append(GroundedImage("2", Response("Yes."), TRUTH))
    found = analyse(images)
    assert found.curve.images.tolist() == found.absent_curve.images.tolist() == [1] * 20
    assert found.curve.mean[[0, 19]] == same([1 / 3, 3 / 4])
    # At the end all but the two pixels under the third phrase's mask are covered.
    assert found.absent_curve.mean[[0, 19]] == same([4 / 24, 22 / 24])
    here = band([record.curve.here for record in found.records if record.present and record.curve])
    assert here.images.sum() == 2 * (2 + 2 + 3)  # each token is two of twenty parts
