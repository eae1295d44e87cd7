"""Measure whether the model uses a region, and whether a map shows what the model uses.

All measures take tokens out of the sequence and compare the similarity without them.
"""
