"""CLIP grounding: which pixels CLIP attends to for a phrase, and which words for an image region.

The library knows nothing of Snakemake: the scripts beside it unpack a rule and call it.
"""

__version__ = "0.1.0"
