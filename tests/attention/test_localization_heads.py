"""Choosing heads from made-up attention, of which one knows which heads look at one thing."""

from __future__ import annotations

import numpy as np
import pytest

from pixfound_tasks.attention.localization_heads import choose_heads, elbow, spatial_entropy


def test_the_elbow_is_farthest_from_the_chord():
    # Sorted 0 1 2 3 10, the chord is 0 2.5 5 7.5 10: 3 lies 4.5 below it, no other value as far.
    assert elbow(np.array([3.0, 0, 10, 1, 2])) == 3
    # 0 7 8 9 10 bends the other way, at 7.
    assert elbow(np.array([9.0, 0, 10, 7, 8])) == 7
    assert elbow(np.array([0.4, 0.2])) == 0.2
    assert elbow(np.full(5, 0.1)) == 0.1


def test_spatial_entropy_counts_parts_by_their_size():
    one, apart = np.zeros((2, 6, 6), np.float32)
    one[1:4, 1:3] = 1
    one[4, 3] = 1  # touches by a corner
    apart[0, 0:3] = [1, 5, 1]
    apart[4, 5] = 9
    assert spatial_entropy(one) == 0
    # Parts of three tokens and of one, however much attention they hold.
    np.testing.assert_allclose(spatial_entropy(apart), -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert spatial_entropy(np.full((7, 9), 0.1, np.float32)) == np.inf


FOCUSED = ((1, 3), (2, 0))
LAYERS, HEADS = 4, 6


def calibration(seed=0, documents=8, quiet=()):
    """Attention (layers, heads, rows, columns): the focused heads on one blob, the others scattered; all heads look at
    the image with 0.6 to 0.9 of their attention, save the quiet ones of layer 0, which put 0.05 on one blob."""
    rng = np.random.RandomState(seed)
    maps = []
    for _ in range(documents):
        grid = (rng.randint(8, 13), rng.randint(8, 13))
        document = rng.exponential(size=(LAYERS, HEADS, *grid)) ** 3
        blob = np.zeros(grid)
        row, column = rng.randint(0, grid[0] - 3), rng.randint(0, grid[1] - 3)
        blob[row : row + 3, column : column + 2] = 1
        for pair in (*FOCUSED, *quiet):
            document[pair] = blob + 0.01 * rng.rand(*grid)
        mass = rng.uniform(0.6, 0.9, (LAYERS, HEADS))
        mass[0] = rng.uniform(0.04, 0.05, HEADS)
        document *= (mass / document.sum(axis=(2, 3)))[..., None, None]
        maps.append(document.astype(np.float32))
    return maps


@pytest.mark.parametrize("seed", range(3))
def test_the_focused_heads_are_chosen(seed):
    assert set(choose_heads(calibration(seed), 2)) == set(FOCUSED)


def test_heads_that_do_not_look_at_the_image_are_not_chosen():
    maps = calibration(quiet=[(0, 1), (0, 4)])
    assert all(spatial_entropy(document[0, 1]) == 0 for document in maps)
    assert set(choose_heads(maps, 2)) == set(FOCUSED)
    assert all(layer > 0 for layer, _ in choose_heads(maps, 8))


def test_heads_are_chosen_by_how_often_they_are_selected():
    # All twelve heads focus, so in every document the first ten are selected, and heads 10 and 11 never; in the first
    # document heads 0 and 1 look nowhere in particular, and heads 10 and 11 take their places.
    blob = np.zeros((12, 5, 5), np.float32)
    blob[:, 1:3, 1:3] = 0.2
    first = blob.copy()
    first[:2] = 0.8 / 25
    maps = [first[None], blob[None], blob[None]]
    assert choose_heads(maps, 12) == tuple((0, head) for head in [2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 10, 11])


def test_of_heads_selected_equally_often_the_less_scattered_come_first():
    scattered, blob, two = np.zeros((3, 6, 6), np.float32)
    scattered[::2, ::2] = 1 / 9
    blob[1:4, 1:4] = 1 / 9
    two[0, :3] = two[4:, 3:] = 1 / 9
    maps = [np.stack([scattered, two, blob])[None], np.stack([scattered, blob, blob])[None]]
    assert choose_heads(maps, 3) == ((0, 2), (0, 1), (0, 0))


def test_ties_go_to_the_lower_layer_then_to_the_lower_head():
    maps = [np.tile(np.eye(4, dtype=np.float32) / 4, (2, 3, 1, 1))]
    assert choose_heads(maps, 4) == ((0, 0), (0, 1), (0, 2), (1, 0))


def test_wrong_calibration_is_refused():
    document = np.tile(np.eye(4, dtype=np.float32), (2, 3, 1, 1))
    broken = document.copy()
    broken[0, 0, 0, 0] = np.nan
    for maps, message in [
        ([], "at least one calibration document"),
        ([document, document[:1]], "of the same layers and heads"),
        ([document[0]], r"expected maps \(layers, heads, rows, columns\)"),
        ([document, broken], "finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            choose_heads(maps)
    for count in (0, 7):
        with pytest.raises(ValueError, match=r"expected count in 1..6, .* but got"):
            choose_heads([document], count)
    with pytest.raises(ValueError, match=r"some head looks at one place more than at others"):
        choose_heads([np.ones_like(document)], 1)
