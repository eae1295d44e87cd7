"""CLIP-like models: a checkpoint folder opened up into towers, by one adapter per family."""
