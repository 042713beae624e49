"""Explains one answer about one image: what each of its noun phrases attended to."""
