"""Folders of PNGs that nobody vouches for."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from pixfound_tasks import masks
from pixfound_tasks.models.png_masks import MAX_PIXELS, MaskFolder, UnreadableMask, read_png

# One pixel each of: nothing, the least there is, more, everything.
LEVELS = np.array([[0, 1], [128, 255]], np.uint8)
EXPECTED = [[0, 1], [1, 1]]


def read(path, size=(2, 2)):
    return masks.decode(read_png(path, size).mask)


def save(path, picture):
    picture.save(path)
    return path


def palette(colors):
    picture = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
    picture.putpalette([channel for color in colors for channel in color])
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(LEVELS),
        Image.fromarray(LEVELS > 0),
        Image.fromarray(LEVELS.astype(np.uint16)),  # in 16 bits, where 255 is nearly black
        Image.fromarray(LEVELS.astype(np.uint16) * 257),
        Image.fromarray(np.stack([0 * LEVELS, 0 * LEVELS, LEVELS], -1)),  # blue: a grey of 0.114 * 1 would be 0
        Image.fromarray(np.stack([LEVELS] * 3 + [255 + 0 * LEVELS], -1)),
        Image.fromarray(np.stack([255 + 0 * LEVELS] * 3 + [LEVELS], -1)),  # white, and the outside is transparent
        Image.fromarray(np.stack([255 + 0 * LEVELS, LEVELS], -1)),
        palette([(0, 0, 0), (0, 0, 1), (9, 9, 9), (255, 255, 255)]),
    ],
    ids=["8 bit", "1 bit", "16 bit", "16 bit, bright", "RGB", "RGBA", "RGBA, transparent", "LA", "palette"],
)
def test_a_mask_is_everything_that_is_not_zero(tmp_path, picture):
    np.testing.assert_array_equal(read(save(tmp_path / "1.png", picture)), EXPECTED)


def test_a_palette_is_read_by_its_colors_not_by_their_numbers(tmp_path):
    white_first = palette([(255, 255, 255), (0, 0, 0), (0, 0, 0), (0, 0, 0)])
    np.testing.assert_array_equal(read(save(tmp_path / "1.png", white_first)), [[1, 0], [0, 0]])


def test_another_size_is_brought_to_the_images(tmp_path):
    path = save(tmp_path / "1.png", Image.fromarray(np.array([[0, 255, 0, 255]], np.uint8)))
    assert read_png(path, (1, 4)).is_resized is False
    found = read_png(path, (2, 8))
    assert found.is_resized is True
    np.testing.assert_array_equal(masks.decode(found.mask), [[0, 0, 1, 1, 0, 0, 1, 1]] * 2)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_large_picture_is_refused_by_its_header(tmp_path):
    side = int(MAX_PIXELS**0.5) + 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    path = tmp_path / "1.png"
    # There is nothing to decode: what is complained of is the size alone.
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(UnreadableMask, match=f"{side} x {side} pixels"):
        read_png(path, (2, 2))
    huge = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + huge + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(UnreadableMask):
        read_png(path, (2, 2))


@pytest.mark.parametrize("is_lenient", [False, True])
def test_a_picture_that_is_cut_off_is_unreadable(tmp_path, monkeypatch, is_lenient):
    # What lmms-eval sets for every picture in its process; with it, what is cut off would be read as black.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", is_lenient)
    noise = np.random.RandomState(0).randint(0, 2, (40, 40)).astype(np.uint8) * 255
    data = save(tmp_path / "1.png", Image.fromarray(noise)).read_bytes()
    np.testing.assert_array_equal(read(tmp_path / "1.png", (40, 40)), noise > 0)
    for length in range(0, len(data) - 12, 7):  # the last twelve bytes say that there is nothing more
        (tmp_path / "2.png").write_bytes(data[:length])
        with pytest.raises(UnreadableMask):
            read_png(tmp_path / "2.png", (40, 40))


def test_what_is_no_png_is_unreadable(tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "1.png", "BMP")
    (tmp_path / "2.png").mkdir()
    (tmp_path / "3.png").touch()
    os.mkfifo(tmp_path / "4.png")  # opening it would wait for ever
    (tmp_path / "5.png").symlink_to(tmp_path / "gone")
    for number in range(1, 6):
        with pytest.raises(UnreadableMask):
            read_png(tmp_path / f"{number}.png", (2, 2))


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4), st.integers(0, 10_000))
def test_broken_bytes_are_unreadable_or_a_mask(tmp_path_factory, changes, cut):
    folder = tmp_path_factory.getbasetemp()
    data = bytearray(save(folder / "whole.png", palette([(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3)])).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    (folder / "broken.png").write_bytes(data[: cut % (2 * len(data))])
    try:
        found = read_png(folder / "broken.png", (3, 5))
    except UnreadableMask:
        return
    assert found.mask["size"] == [3, 5]


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_names_are_parsed_from_the_right(tmp_path):
    odd = "\u00b2 \n.png", "a" * 240 + ".png", os.fsdecode(b"\xff_1_2.png"), "9" * 200 + ".png"
    touch(tmp_path, "00007.png", "ADE_val_00000248.png", "a_1_2_003_004.png", "000000001296_000_001.png", "x.jpg", *odd)
    found = MaskFolder.find(tmp_path)
    assert found.count == 8
    assert found.files[7] == {(): tmp_path / "00007.png"}
    assert found.files["ADE_val_00000248"] == {(): tmp_path / "ADE_val_00000248.png"}
    assert found.files["a_1_2"] == {(3, 4): tmp_path / "a_1_2_003_004.png"}
    assert found.files["000000001296"] == {(0, 1): tmp_path / "000000001296_000_001.png"}
    assert 1296 not in found.files and "a" not in found.files


@pytest.mark.parametrize(("one", "other"), [("7.png", "output00007.png"), ("7_0_1.png", "7_000_001.png")])
def test_two_files_for_one_mask_are_an_error(tmp_path, one, other):
    touch(tmp_path, one, other)
    with pytest.raises(ValueError, match="expected one file per mask, but got '.*' and '.*'; remove one") as error:
        MaskFolder.find(tmp_path)
    assert repr(one) in str(error.value) and repr(other) in str(error.value)


def test_links_that_lead_out_of_the_folder_are_an_error(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    touch(folder, "1.png")
    (folder / "2.png").symlink_to("1.png")
    (tmp_path / "link").symlink_to(folder)
    assert MaskFolder.find(tmp_path / "link").count == 2
    touch(tmp_path, "3.png")
    (folder / "3.png").symlink_to("../3.png")
    with pytest.raises(ValueError, match="expected files in masks=.*, but '3.png' is a link out of it; copy the file"):
        MaskFolder.find(folder)


def test_folders_without_masks_are_an_error(tmp_path):
    touch(tmp_path, "1.jpg")
    for folder in (tmp_path, tmp_path / "gone", tmp_path / "1.jpg"):
        with pytest.raises(ValueError, match="expected PNGs such as 00001.png, .* but found none"):
            MaskFolder.find(folder)
