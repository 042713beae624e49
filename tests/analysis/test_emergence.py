import math

import numpy as np
import pytest

from pixfound_tasks import masks
from pixfound_tasks.analysis.emergence import GroundedImage, analyse
from pixfound_tasks.response import Candidate, Phrase, PromptedMasks, Response

SIZE = (4, 10)
TEXT = "a red dog on a mat!!"  # 20 characters


def columns(start, stop):
    """The mask of the columns start..stop of four pixels each."""
    mask = np.zeros(SIZE, bool)
    mask[:, start:stop] = True
    return masks.encode(mask)


def phrase(chars, *candidates, text="a phrase"):
    return Phrase((0.5, 0.5), tuple(Candidate(mask) for mask in candidates), text=text, chars=chars)


def look(target, *phrases, control=(), text=TEXT, image="1"):
    prompts_with_masks = tuple(PromptedMasks((0.1, 0.1), (Candidate(mask),)) for mask in control)
    return GroundedImage(image, Response(text, masks=(), phrases=phrases, control=prompts_with_masks), target)


def test_best_phrase_is_located_by_its_first_character():
    target = columns(0, 4)
    found = analyse(
        [look(target, phrase((0, 9), columns(0, 1)), phrase((13, 18), columns(0, 3), columns(6, 9), text="a mat"))]
    )
    (record,) = found.records
    assert (record.image, record.phrase, record.char_location) == ("1", "a mat", 13 / 20)
    assert record.oracle_iou == 3 / 4
    assert found.location_bins == (0, 0, 0, 0, 0, 0, 1, 0, 0, 0) and found.located == 1
    assert found.candidates == 3


@pytest.mark.parametrize(("start", "expected"), [(0, 0), (1, 0), (2, 1), (18, 9), (19, 9)])
def test_bins_are_tenths(start, expected):
    found = analyse([look(columns(0, 4), phrase((start, 20), columns(0, 4)))])
    assert found.location_bins[expected] == sum(found.location_bins) == 1


def test_on_ties_the_later_phrase_wins():
    same = columns(0, 2)
    found = analyse([look(columns(0, 4), phrase((0, 5), same), phrase((10, 12), same))])
    assert found.records[0].char_location == 0.5


def test_oracle_and_chance_count_absent_objects_as_found():
    looks = [
        look(columns(0, 4), phrase((0, 1), columns(0, 2)), control=[columns(0, 1), columns(6, 8)]),
        look(columns(0, 0), phrase((0, 1), columns(0, 2)), control=[columns(0, 1)]),
    ]
    found = analyse(looks)
    assert found.oracle_miou == pytest.approx((2 / 4 + 1) / 2, abs=1e-12)
    assert found.chance_miou == pytest.approx((1 / 4 + 1) / 2, abs=1e-12)
    assert sum(found.location_bins) == found.present == 1  # the absent object has no place in the answer


def test_without_candidates_the_prediction_is_the_oracle_and_chance_is_undefined():
    response = Response(TEXT, masks=(columns(0, 3),))
    found = analyse([GroundedImage("1", response, columns(0, 4))])
    assert found.oracle_miou == 3 / 4
    assert math.isnan(found.chance_miou)
    assert found.located == sum(found.location_bins) == 0 and not found.has_phrases
    assert found.candidates == 0


@pytest.mark.parametrize(("chars", "text"), [(None, TEXT), ((20, 25), TEXT), ((0, 1), "")])
def test_a_phrase_without_a_place_is_not_located(chars, text):
    assert analyse([look(columns(0, 4), phrase(chars, columns(0, 4)), text=text)]).located == 0


def test_no_images_are_not_measured():
    found = analyse([])
    assert math.isnan(found.oracle_miou) and math.isnan(found.chance_miou) and math.isnan(found.candidates)
