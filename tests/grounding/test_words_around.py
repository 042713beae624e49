"""What the words around numbers say: units, layouts, places that are taken back, and what is not denied."""

from __future__ import annotations

import pytest

from pixfound_tasks.grounding.text_grounder import read_words

SIZE = (480, 640)
BOX = (0.1, 0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    "text",
    [
        # The order of the numbers.
        "[y1, x1, y2, x2] = [250, 100, 750, 500]",
        "[ymin, xmin, ymax, xmax]: [250, 100, 750, 500]",
        "[x, y, w, h] = [100, 250, 400, 500]",
        "The box is given as x, y, width, height: [100, 250, 400, 500]",
        "Format: xywh\n[100, 250, 400, 500]",
        # Their unit.
        "[64, 120, 320, 360] (in pixels)",
        "In pixels: [64, 120, 320, 360]",
        '{"bbox_pixels": [64, 120, 320, 360]}',
        "[10, 25, 50, 75] %",
        "[10, 25, 50, 75] (percent of width and height)",
        '{"bbox_percent": [10, 25, 50, 75]}',
        # What is taken back.
        "The dog is not at [0, 0, 200, 200] but at [100, 250, 500, 750].",
        "Initially I thought [0, 0, 9, 9], but the correct box is [100, 250, 500, 750]",
        "[0, 0, 9, 9]\nWait, that is wrong. Corrected: [100, 250, 500, 750]",
        "Not [0, 0, 9, 9]. Final answer: [100, 250, 500, 750]",
        # Numbers of other things.
        '{"bbox_2d": [100, 250, 500, 750], "crop": [0, 0, 640, 480]}',
        '{"image_bbox": [0, 0, 1000, 1000], "bbox_2d": [100, 250, 500, 750], "id": [1, 2, 3, 4]}',
        # Corners by name, and a table.
        "Top-left: (100, 250), bottom-right: (500, 750)",
        "The upper left corner is at (100, 250) and the lower right corner at (500, 750).",
        "bottom right (500, 750); top left (100, 250)",
        "Top right [500, 250], bottom left [100, 750]",
        "| object | x1 | y1 | x2 | y2 |\n|---|:---:|---|---|---|\n| dog | 100 | 250 | 500 | 750 |\n\nDone.",
        "| x | y | width | height |\n|---|---|---|---|\n| 100 | 250 | 400 | 500 |",
        "[100; 250; 500; 750]",
        # Nothing of the kind.
        "Final answer: [100, 250, 500, 750]",
        "The bounding box is [100, 250, 500, 750].",
    ],
)
def test_a_box_means_what_its_sentence_says(text):
    read = read_words(text, SIZE, "thousand", "box")
    assert read.boxes == (BOX,) and not read.problems


@pytest.mark.parametrize(
    "text",
    [
        "The dog does not appear happy",
        "The person is not shown fully.",
        "The dog is not visible in full but lies on the left",
        "The dog cannot be seen from the front; it lies left.",
        "The image does not show the whole dog, only its head",
        "I can't see the dog's tail but the dog is there.",
        "Le chien n'est pas visible enti\u00e8rement",
        "\u6ca1\u6709\u6234\u5e3d\u5b50\u7684\u7537\u4eba\u5728\u5de6\u8fb9\u3002",
        "The image does not contain text, but a dog on the left.",
        "There is no dog collar visible, the dog is at left.",
        "I did not find the cat but found the dog on the left",
    ],
)
def test_what_denies_something_else_is_no_denial(text):
    read = read_words(text, SIZE, "thousand", "box")
    assert read.boxes is None and read.problems


@pytest.mark.parametrize(
    "text",
    [
        "Sorry, but there is no dog.",
        "The dog is not visible.",
        "I could not find the dog, but there is no cat either.",
        "\u0421\u043e\u0431\u0430\u043a\u0438 \u043d\u0435\u0442.",
        '{"exists": 0}',
        "<box></box>",
    ],
)
def test_a_denial_stays_one(text):
    assert read_words(text, SIZE, "thousand", "box").boxes == ()


@pytest.mark.parametrize("convention", [None, "thousand", "fraction"])
@pytest.mark.parametrize(
    "text",
    [
        ' at [1,2,3,4] star","boxes":[{"x_min":0.1,"y_min":0.2,"x_max":0.5,"y_max":0.6}]}',
        ' star","points":[[0.1,0.2]]}',
        ' dog","masks":[]}',
    ],
)
def test_the_rest_of_a_cut_response_is_never_read_as_words(text, convention):
    for kind in ("box", "point", None):
        read = read_words(text, SIZE, convention, kind)
        assert read.masks is read.boxes is read.points is None and read.problems
