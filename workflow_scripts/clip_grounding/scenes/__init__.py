"""The embedded dataset: drawn scenes with narratives, and the small CLIP trained on them.

Files come in the published formats, so everything after them is the same as for real data.
"""
