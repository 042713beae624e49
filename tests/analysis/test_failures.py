import pytest

from pixfound_tasks.analysis.failures import ImageFacts, analyse, is_grounded

IMAGE_AREA = 100


def image(pair=0, right=True, iou=1.0, true_area=10, predicted_area=10, pattern="Text"):
    return ImageFacts(pair, pattern, right, iou, true_area, predicted_area, IMAGE_AREA)


def absent(pair, predicted_area, **facts):
    return image(pair, iou=float(predicted_area == 0), true_area=0, predicted_area=predicted_area, **facts)


def test_four_outcomes_of_pairs():
    images = [
        image(0), image(0, iou=0.51),
        image(1), image(1, right=False),
        image(2), image(2, iou=0.5),  # an IoU must exceed one half
        image(3, right=False), image(3, iou=0.0),
    ]  # fmt: skip
    for order in (images, images[::-1], images[1::2] + images[::2]):
        found = analyse(order)
        assert found.pairs == {
            "both_right": (0,),
            "vqa_only_failure": (1,),
            "grounding_only_failure": (2,),
            "both_wrong": (3,),
        }
        assert found.counts == dict.fromkeys(found.pairs, 1)


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
    found = analyse([image(4), image(7), image(7)], "strict")
    assert found.incomplete == (4,)
    assert found.pairs["both_right"] == (7,)
    assert sum(found.counts.values()) == 1


def test_patterns_count_every_pattern_of_a_pair():
    found = analyse([image(0, pattern="Text"), image(0, pattern="Color"), image(1), image(1)])
    assert found.by_pattern["Text"]["both_right"] == 2
    assert found.by_pattern["Color"]["both_right"] == 1


def test_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"expected the rule to be one of \['paper', 'strict'\], but got 'loose'"):
        analyse([], "loose")
