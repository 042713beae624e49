"""What models are asked, and the variations of it."""
