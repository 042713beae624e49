"""What an evaluation left behind: reading it, and its numbers."""
