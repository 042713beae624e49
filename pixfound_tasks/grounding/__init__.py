"""From a model's answer or attention to masks: phrases, coordinates, segmenters, selection."""
