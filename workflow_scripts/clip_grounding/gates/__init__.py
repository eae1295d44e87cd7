"""Gates that a method can fail: do its maps depend on the model's weights, and on the prompt?

A map that looks right may be an edge detector or a centre prior. A gate takes away what a map ought
to depend on, and asks whether the map changes.
"""
