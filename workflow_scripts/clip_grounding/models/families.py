"""The families of models: a file each, with a line in each of these tables.

They are apart so that the code of a job holds no more of a family than the job uses: planning needs
its facts, scores its tokenizer, and only maps its adapter.
"""

from clip_grounding.models.clip import CLIP, open_clip, prepare_clip
from clip_grounding.models.siglip import SIGLIP, open_siglip, prepare_siglip

FAMILIES = {"clip": CLIP, "siglip": SIGLIP}
"""The facts of each family, by name."""

TOKENIZERS = {"clip": prepare_clip, "siglip": prepare_siglip}
"""Makes a tokenizer read texts as the family's models are trained: (tokenizer, folder) to rules."""

ADAPTERS = {"clip": open_clip, "siglip": open_siglip}
"""Opens a transformers model as a `Clip`: (model, end_of_text, padding), with the ids of both."""


def find_family(model_type: str) -> str | None:
    """Return the family of a ``model_type``; None if there is none."""
    return next((name for name, own in FAMILIES.items() if model_type in own.model_types), None)


def list_model_types() -> list[str]:
    """List every ``model_type`` that has a family."""
    return [kind for family in FAMILIES.values() for kind in family.model_types]
