"""Open the checkpoints of CLIP-like models as towers, with one adapter per family."""
