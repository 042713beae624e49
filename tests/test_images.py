"""Gray levels of more than eight bits, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pixfound_tasks.images import as_rgb, without_alpha


def levels(image):
    return np.asarray(image)[..., 0].ravel().tolist()


@pytest.mark.parametrize("convert", [as_rgb, without_alpha])
def test_sixteen_bits_are_reduced_and_not_cut_off(convert):
    # The high bytes of 0, 255, 256, 0x8000 and 0xFFFF.
    deep = np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16)
    assert levels(convert(Image.fromarray(deep))) == [0, 0, 1, 128, 255]
    assert levels(convert(Image.fromarray(deep.astype(np.int32)))) == [0, 0, 1, 128, 255]
    assert levels(convert(Image.fromarray(np.array([[0, 7, 255]], np.int32)))) == [0, 7, 255]


@pytest.mark.parametrize("convert", [as_rgb, without_alpha])
@pytest.mark.parametrize("values", [np.array([[0.0, 0.5, 1.0]], np.float32), np.array([[-1, 70000]], np.int32)])
def test_levels_of_unknown_scale_are_refused(convert, values):
    with pytest.raises(ValueError, match=r"expected gray levels in 0\.\.65535, but got .* scale it to 0\.\.255"):
        convert(Image.fromarray(values))


def test_transparency_is_put_on_white_or_left_out():
    clear = Image.new("RGBA", (1, 1), (255, 0, 0, 0))
    assert as_rgb(clear).getpixel((0, 0)) == (255, 255, 255) and without_alpha(clear).getpixel((0, 0)) == (255, 0, 0)
