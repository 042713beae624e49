"""Judges: they are asked in text, with images or without, and reply in text."""
