"""Where the image tokens of each model family lie in the image."""
