"""Boxes and points in what models write."""
