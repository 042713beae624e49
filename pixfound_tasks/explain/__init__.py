"""One image, one answer, and what every phrase of the answer looked at."""
