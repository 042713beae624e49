"""Attention of each output token to the image: recording, token-to-pixel geometry, reducers."""

from pixfound_tasks.attention.families.registry import GEOMETRIES, token_geometry
from pixfound_tasks.attention.geometry import TokenGeometry, grid_boxes
from pixfound_tasks.attention.lens import Lens
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.record import AttentionRecord
from pixfound_tasks.attention.recorder import record_attention
from pixfound_tasks.attention.reducers import REDUCERS

__all__ = [
    "GEOMETRIES",
    "REDUCERS",
    "AttentionRecord",
    "Lens",
    "Look",
    "TokenGeometry",
    "grid_boxes",
    "record_attention",
    "token_geometry",
]
