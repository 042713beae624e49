"""From responses to scores: what the tasks' YAMLs name, and the metrics beneath."""
