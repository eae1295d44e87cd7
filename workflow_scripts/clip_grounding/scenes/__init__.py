"""Make the embedded dataset: rendered scenes with narratives, and a small CLIP trained on scenes.

Files are in the published formats, so everything downstream is the same as for real data.
"""
