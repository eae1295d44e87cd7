"""Scores of maps against regions and words: a protocol a file, baselines beside them."""
