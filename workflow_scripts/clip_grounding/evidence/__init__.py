"""Does the model use the region, and does a map show what the model uses?

Everything here takes tokens out of the sequence, and compares the similarity without them.
"""
