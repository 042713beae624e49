import itertools

import pytest

from pixfound_tasks.analysis.failures import ImageFacts, analyse, is_grounded

IMAGE_AREA = 100


ids = itertools.count()


def image(pair=0, correct=True, iou=1.0, true_area=10, predicted_area=10, id=None, **groups):
    groups = groups or {"pattern": "Text"}
    return ImageFacts(id or str(next(ids)), pair, groups, correct, iou, true_area, predicted_area, IMAGE_AREA)


def absent(pair, predicted_area, **facts):
    return image(pair, iou=float(predicted_area == 0), true_area=0, predicted_area=predicted_area, **facts)


def test_four_outcomes_of_pairs():
    images = [
        image(0, id="1"), image(0, id="2", iou=0.51),
        image(1, id="3"), image(1, id="4", correct=False),
        image(2, id="5"), image(2, id="6", iou=0.5),  # an IoU must exceed one half
        image(3, id="9", correct=False), image(3, id="10", iou=0.0),
    ]  # fmt: skip
    for order in (images, images[::-1], images[1::2] + images[::2]):
        found = analyse(order)
        assert found.units == {
            "both_right": (("1", "2"),),
            "vqa_only_failure": (("3", "4"),),
            "grounding_only_failure": (("5", "6"),),
            "both_wrong": (("9", "10"),),
        }
        assert found.counts == dict.fromkeys(found.units, 1)


def test_shares_have_wilsons_interval():
    """Of three pairs two are right: 2/3, and by Wilson's formula with z = 1.959964, n = 3:

    (2/3 + z2/6 +- z sqrt(2/9/3 + z2/36)) / (1 + z2/3) = 0.2077 and 0.9385, z2 being 3.841459.
    """
    found = analyse([image(0), image(0), image(1), image(1), image(2), image(2, correct=False)])
    share = found.shares["both_right"]
    assert (share.value, share.units) == (2 / 3, 3)
    assert (share.low, share.high) == pytest.approx((0.2077, 0.9385), abs=1e-4)
    assert found.total == 3 and analyse([]).shares["both_right"].reason


def test_images_without_pairs_are_units_of_their_own():
    """As on PixCV-Bench: outcomes by source and by task."""
    found = analyse(
        [
            image(None, id="1", source="ADE20K", task="Count"),
            image(None, id="2", source="COCO", task="Count", correct=False),
            image(None, id="10", source="COCO", task="Relation", iou=0.1),
        ]
    )
    assert found.units["both_right"] == (("1",),)
    assert found.by["source"]["COCO"].counts == {
        "both_right": 0, "vqa_only_failure": 1, "grounding_only_failure": 1, "both_wrong": 0
    }  # fmt: skip
    assert found.by["task"]["Count"].units["vqa_only_failure"] == (("2",),)
    assert (found.total, found.incomplete) == (3, ())


@pytest.mark.parametrize(
    ("predicted_area", "paper", "strict"), [(0, True, True), (1, True, False), (49, True, False), (50, False, False)]
)
def test_rules_differ_where_nothing_is_there(predicted_area, paper, strict):
    assert is_grounded(absent(0, predicted_area), "paper") is paper
    assert is_grounded(absent(0, predicted_area), "strict") is strict


def test_rules_agree_where_something_is_there():
    """An empty prediction for an object that is there fails by either rule, however small its area."""
    missed = image(iou=0.0, predicted_area=0)
    assert not is_grounded(missed, "paper")
    assert not is_grounded(missed, "strict")


def test_a_pair_with_one_image_is_left_out_and_named():
    found = analyse([image(4), image(7, id="71"), image(7, id="72")], "strict")
    assert found.incomplete == (4,)
    assert found.units["both_right"] == (("71", "72"),)
    assert found.total == 1


def test_a_pair_counts_under_every_pattern_of_its_images():
    found = analyse([image(0, pattern="Text"), image(0, pattern="Color"), image(1), image(1)])
    assert found.by["pattern"]["Text"].counts["both_right"] == 2
    assert found.by["pattern"]["Color"].counts["both_right"] == 1
    assert found.total == 2


def test_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"expected the rule to be one of \['paper', 'strict'\], but got 'loose'"):
        analyse([], "loose")
