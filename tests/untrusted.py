"""What a model might print: hypothesis strategies over the response contract's own words, and anything else."""

import json

from hypothesis import strategies as st
from rectangles import rectangle

_KEYS = (
    "schema", "text", "masks", "boxes", "scores", "points", "phrases", "selected", "control", "tokens", "provenance",
    "size", "counts", "chars", "point", "candidates", "mask", "score", "by", "phrase", "candidate", "similarity",
    "map", "levels",
)  # fmt: skip
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([rectangle(0, 0, 3, 4), {"size": [1, 3], "levels": "D3A="}]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), values, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6).map(json.dumps)
OUTPUTS = OBJECTS | st.text(max_size=60)
