"""The scenes, questions and pairs of PixMini's data versions 1 and 2."""
