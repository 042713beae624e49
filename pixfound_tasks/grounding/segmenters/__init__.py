"""From points and boxes on an image to masks."""
