"""Define the columns of the evidence tables, and the measures in them.

Similarities are cosines times 100, whatever a model's own scale and bias. P-values are in double
precision: 1/20 rounded to single precision is above 0.05.
"""

import pyarrow as pa

from clip_grounding.tables import KEYS

EFFECTS = pa.schema(
    [
        *KEYS,
        ("prompt", pa.string()),
        ("similarity", pa.float32()),
        ("drop", pa.float32()),
        ("control_drop", pa.float32()),
        ("necessity", pa.float32()),
        ("sufficiency", pa.float32()),
        ("p_value", pa.float64()),
        ("n_tokens", pa.int32()),
        ("n_controls", pa.int32()),
        ("region_area", pa.float32()),
        ("excluded", pa.string()),
        ("sets", pa.binary()),
    ]
)
"""A phrase's region and its controls under a prompt; see `effects.measure_effects`.

``sets`` has the region's tokens and then those of each control, packed by `pack_sets`.
"""

SIMILARITIES = pa.schema(
    [
        *KEYS,
        ("similarity", pa.float32()),
        ("similarities", pa.list_(pa.float32())),
        ("units", pa.list_(pa.int16())),
        ("subsets", pa.binary()),
    ]
)
"""A phrase's similarity to the whole item and to each of its subsets.

``units`` has the unit of every value of a relevance map of the item, −1 for padding.
``subsets`` has the units that each subset keeps, packed by `pack_sets`.
"""

CEILINGS = pa.schema([*KEYS, ("ceiling", pa.float32()), ("excluded", pa.string())])
"""How well the best additive map that the subsets determine would do."""

_MAP = [*KEYS, ("prompt", pa.string())]

FAITHFULNESS = pa.schema(
    [
        *_MAP,
        ("faithfulness", pa.float32()),
        ("faithfulness_margin", pa.float32()),
        ("degenerate", pa.bool_()),
        ("excluded", pa.string()),
    ]
)
STEPS = 10
"""Equal parts of the units: the removal takes one part out first, all but one last."""

REMOVAL = pa.schema(
    [
        *_MAP,
        ("srg", pa.float32()),
        ("morf_aopc", pa.float32()),
        ("lerf_aopc", pa.float32()),
        ("similarity", pa.float32()),
        ("morf", pa.list_(pa.float32())),
        ("lerf", pa.list_(pa.float32())),
        ("degenerate", pa.bool_()),
        ("excluded", pa.string()),
    ]
)
"""Similarities as more and more units are taken out, the largest or the smallest first."""

OUTCOMES = pa.schema(
    [
        *_MAP,
        ("localisation", pa.float32()),
        ("localisation_p", pa.float64()),
        ("necessity_p", pa.float64()),
        ("outcome", pa.string()),
        ("degenerate", pa.bool_()),
        ("excluded", pa.string()),
    ]
)
"""Whether a map shows what the model uses; `outcomes.OUTCOME_NAMES` has the values."""
