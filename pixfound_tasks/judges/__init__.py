"""Judges: models that answer questions in text, with or without images."""
