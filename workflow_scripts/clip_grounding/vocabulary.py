"""Define the words that tables and files share, each with one meaning; imports nothing."""

DIRECTIONS = ("text_to_image", "image_to_text")
"""Text to image: where in the image is a phrase? Image to text: which words is a region?"""

MAP_PROMPTS = ("matched", "unimodal")
"""Prompts that maps are computed for: the phrase or region itself; an empty text or black image."""

PROMPTS = (*MAP_PROMPTS, "mismatched")
"""Prompts of a model: `mismatched` is the matched prompt of another phrase. A baseline has none."""

PHRASE = ["narrative", "phrase"]
"""The columns that identify a phrase of a dataset."""

CONTENDER = ["model", "attribution", "prompt"]
"""The columns that identify a contender, of whose scores a table has the means."""

EVALUATION = ["direction", "model", "attribution"]
"""The columns that identify what is evaluated together, by the same jobs."""

EFFECT_METRICS = ("necessity", "sufficiency")
"""Measures of a region, without any attribution."""

MAP_METRICS = ("faithfulness", "faithfulness_margin", "srg", "localisation")
"""Measures of a map that hold it against the model."""

CONTROLS = {
    "random": ("text_to_image", "image_to_text"),
    "center": ("text_to_image",),
    "constant": ("text_to_image", "image_to_text"),
}
"""Maps that know nothing, with the directions that they are there for."""
