"""The response contract: a model's answer as one string that carries text, masks and how the masks were found.

Plain text is a response. A grounded response is one JSON object, a superset of what lmms-eval's `sam3` prints. Points
are `(x, y)` and boxes `(x_min, y_min, x_max, y_max)`, in fractions of the image's width and height. `chars` and
`tokens` are half-open ranges in the answer's text and in its tokens. A phrase may have a coarse `map` of its attention
(see `maps`), and a response the `draft` of a model that thinks before it answers and the `token_maps` of its first
tokens. No score depends on them, so readers may ignore them.
"""

from pixfound_tasks.response.maps import CoarseMap, TokenMap, coarse_map
from pixfound_tasks.response.parse import from_text, parse_json, whole_characters
from pixfound_tasks.response.schema import (
    SCHEMA,
    Box,
    Candidate,
    Draft,
    Phrase,
    Point,
    PromptedMasks,
    Response,
    Selection,
    all_candidates,
    to_text,
)

__all__ = [
    "SCHEMA", "Box", "Candidate", "CoarseMap", "Draft", "Phrase", "Point", "PromptedMasks", "Response", "Selection",
    "TokenMap", "all_candidates", "coarse_map", "from_text", "parse_json", "to_text", "whole_characters",
]  # fmt: skip
