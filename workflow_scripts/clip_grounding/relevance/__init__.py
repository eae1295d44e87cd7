"""Compute relevance maps: images and phrases in, one map per phrase and prompt out."""
