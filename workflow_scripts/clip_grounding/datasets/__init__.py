"""A dataset's published files, its index of phrases, and the regions they are grounded in."""
