"""The prompts that models get, and their variations."""
