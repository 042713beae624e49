"""Segmenters: they turn points and boxes on an image into masks."""
