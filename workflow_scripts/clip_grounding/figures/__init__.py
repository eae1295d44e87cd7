"""Draw the charts, the pages of examples and the animations, in one style.

Only Agg is used, so that a job needs neither a display nor a user's matplotlibrc.
"""
