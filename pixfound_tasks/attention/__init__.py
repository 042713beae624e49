"""What each output token looked at: recording, token-to-pixel geometry, reducers."""

from pixfound_tasks.attention.geometry import GEOMETRIES, TokenGeometry, token_geometry
from pixfound_tasks.attention.lens import Lens, Look
from pixfound_tasks.attention.recorder import AttentionRecord, record_attention
from pixfound_tasks.attention.reducers import REDUCERS

__all__ = [
    "GEOMETRIES",
    "REDUCERS",
    "AttentionRecord",
    "Lens",
    "Look",
    "TokenGeometry",
    "record_attention",
    "token_geometry",
]
