"""What runs say beyond their scores: failures, emergence, evidence, sensitivity, intervals; pure functions."""
