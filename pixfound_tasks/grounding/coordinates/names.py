"""Named axes, named corners and keys: which words around numbers say what the numbers are."""

from __future__ import annotations

import re
from collections.abc import Container

_SEPARATORS = re.compile(r"[\W_]+")
_CORNER_WORD = re.compile(r"(?:corner|coordinates?|coords?|position|vertex|xy|\u89d2)$")

# The axes of a box, in the order of their numbers, and the layout of these.
_X_MIN = ("xmin", "x0", "x1", "left", "minx", "topleftx", "xtopleft", "xleft", "startx", "xstart", "x")
_Y_MIN = ("ymin", "y0", "y1", "top", "miny", "toplefty", "ytopleft", "ytop", "starty", "ystart", "y")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("x", "y", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("l", "t", "r", "b"),
    ("xleft", "ytop", "xright", "ybottom"),
    ("leftx", "topy", "rightx", "bottomy"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("xtopleft", "ytopleft", "xbottomright", "ybottomright"),
    ("tlx", "tly", "brx", "bry"),
    ("startx", "starty", "endx", "endy"),
    ("xstart", "ystart", "xend", "yend"),
)
_CENTERS = (
    ("cx", "cy"), ("xc", "yc"), ("centerx", "centery"), ("xcenter", "ycenter"), ("centrex", "centrey"),
    ("xcentre", "ycentre"),
)  # fmt: skip
_SIDES = (("width", "height"), ("w", "h"), ("boxwidth", "boxheight"), ("bboxwidth", "bboxheight"))
_BOXES = (
    *((names, "xyxy") for names in _CORNERS),
    *(((*center, *sides), "cxcywh") for center in _CENTERS for sides in _SIDES),
    *(((x, y, *sides), "xywh") for x, y in zip(_X_MIN, _Y_MIN) for sides in _SIDES),
)
AXES = frozenset(name for names, _ in _BOXES for name in names)
_POINT = ("x", "y")

# Two named points that are opposite corners of a box, and two ranges.
_CORNER_PAIRS = (
    ("topleft", "bottomright"), ("bottomleft", "topright"), ("upperleft", "lowerright"), ("lowerleft", "upperright"),
    ("lefttop", "rightbottom"), ("leftbottom", "righttop"), ("leftupper", "rightlower"), ("tl", "br"), ("lt", "rb"),
    ("ul", "lr"), ("min", "max"), ("start", "end"), ("from", "to"), ("p1", "p2"), ("p0", "p1"), ("point1", "point2"),
    ("corner1", "corner2"), ("pt1", "pt2"), ("x1y1", "x2y2"), ("x0y0", "x1y1"), ("xminymin", "xmaxymax"),
    ("startpoint", "endpoint"), ("minpoint", "maxpoint"), ("topleftpoint", "bottomrightpoint"),
    ("\u5de6\u4e0a", "\u53f3\u4e0b"), ("\u5de6\u4e0b", "\u53f3\u4e0a"),
)  # fmt: skip
_RANGES = (("x", "y"), ("xrange", "yrange"), ("xs", "ys"), ("horizontal", "vertical"))

_LAYOUTS = (
    (re.compile(r"cxcywh|cxywh|xcycwh|ccwh"), "cxcywh"),
    (re.compile(r"xywh|ltwh|tlwh|^coco|xyhw$"), "xywh"),
    (re.compile(r"yxyx|tlbr$|yminxminymaxxmax"), "yxyx"),
    (re.compile(r"xyxy|ltrb|xminyminxmaxymax|x1y1x2y2|pascalvoc"), "xyxy"),
)
UNIT_NAMES = {
    "%": "%", "percent": "%", "percents": "%", "percentage": "%", "percentages": "%", "px": "px", "pixel": "px",
    "pixels": "px",
}  # fmt: skip

FIXED_KEYS = {"box_2d": "thousand_yx"}
# Lists under these keys are not coordinates.
OTHER_KEYS = frozenset(
    "color colour rgb rgba size shape image_size image_shape resolution score scores confidence counts crop crop_box "
    "image_bbox image_box image_rect embedding embeddings id ids index original_size".split()
)
# An empty list under these keys means "not there".
PLACE_KEY = re.compile(r"box|point|coord|object|detect|location|region|instance|result|mask|polygon|answer|match")
_BOX_KEY = re.compile(r"box|bbox|bound|rect|corner")
_PLURAL_BOX_KEY = re.compile(r"boxes|rects|rectangles|bounds_list")
_POLYGON_KEY = re.compile(r"polygon|poly$|vertices|vertexes|segment|contour|outline|silhouette")
_CALL_KEY = re.compile(r"^(?:arguments|parameters|args|input|tool_input|kwargs)$")
CALL_NAMES = frozenset("name function tool tool_name function_name recipient_name action".split())
PRESENCE_KEY = re.compile(r"found|present|presence|exist|detected|visible|contains|in_?image")
ABSENCE_KEY = re.compile(r"absent|missing|not_?found|not_?present|not_?there")


def plain(key: str) -> str:
    """Return a key without separators, in lower case: "X-Min" and "x_min" are "xmin"."""
    return _SEPARATORS.sub("", key).lower()


def box_axes(names: Container[str]) -> tuple[tuple[str, ...], str] | None:
    """Return the axes that name a box or a point, and their layout, or None. `names` are plain keys."""
    for axes, layout in _BOXES:
        if all(name in names for name in axes):
            return axes, layout
    return (_POINT, "") if all(name in names for name in _POINT) else None


def corner_keys(keys: dict[str, int]) -> tuple[str, str, bool] | None:
    """Return the two keys whose pairs of numbers are one box, and whether these are ranges rather than corners."""
    if len(keys) < 2:
        return None
    short = {_CORNER_WORD.sub("", plain(key)) or plain(key): key for key in keys}
    for names, are_ranges in (*((pair, False) for pair in _CORNER_PAIRS), *((pair, True) for pair in _RANGES)):
        if names[0] in short and names[1] in short:
            return short[names[0]], short[names[1]], are_ranges
    return None


def layout_of(key: str) -> str:
    """Return the layout that a key such as `bbox_xywh` states, or ""."""
    short = plain(key)
    return next((layout for pattern, layout in _LAYOUTS if pattern.search(short)), "")


def is_box_key(key: str) -> bool:
    """Return whether two pairs under a key are a box."""
    return bool(_BOX_KEY.search(key))


def is_plural_box_key(key: str) -> bool:
    """Return whether there may be several boxes under a key."""
    return bool(_PLURAL_BOX_KEY.search(key))


def is_polygon_key(key: str) -> bool:
    """Return whether the numbers under a key are the vertices of an outline."""
    return bool(_POLYGON_KEY.search(key))


def is_call_key(key: str) -> bool:
    """Return whether a key holds the arguments of a tool call."""
    return bool(_CALL_KEY.search(key))
