"""CLIP grounding: which pixels CLIP attends to for a phrase, and which words for an image region.

The library knows nothing of Snakemake: the scripts beside it unpack a rule and call it.
"""

import __main__
from clip_grounding.logs import show_last_words

__version__ = "0.1.0"

AFFECTS_OUTPUT = False
"""No output depends on this file: an edit of it reruns nothing."""

if hasattr(__main__, "snakemake"):
    # A rule's script, whose imports alone can need more memory than there is.
    show_last_words()
