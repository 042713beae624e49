"""From what a model says or attends to, to masks: phrases, coordinates, segmenters, selection."""
