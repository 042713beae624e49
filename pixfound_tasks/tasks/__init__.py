"""From responses to scores: the functions that the task YAMLs name, and the metrics behind them."""
