"""Pure analyses of runs beyond their scores: failures, emergence, masking ablations, sensitivity, intervals."""
