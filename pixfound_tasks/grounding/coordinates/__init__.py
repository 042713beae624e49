"""Boxes and points in models' answers."""
