"""The figures: bars of the scores and pages of examples, in one style.

They are drawn with Agg alone, so that a job needs neither a display nor a user's matplotlibrc.
"""
