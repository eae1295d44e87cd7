"""Define the columns of the gates' measurements, and the statistics in them."""

import pyarrow as pa

from clip_grounding.tables import KEYS

MEASURED = pa.schema(
    [
        *KEYS,
        ("gate", pa.string()),
        ("statistic", pa.string()),
        ("depth", pa.int32()),
        ("layer", pa.string()),
        ("value", pa.float64()),
        ("excluded", pa.string()),
    ]
)
"""A phrase's value of each statistic; see `measure.measure_gates`.

``depth`` and ``layer`` say how far a tower is randomised, of the gate ``curve`` alone.
"""

LIMITS = {
    ("weights", "R"): 0.3,
    ("weights", "D"): 0.1,
    ("target", "mismatched"): 0.0,
    ("target", "random_target"): 0.0,
}
"""A gate is passed if the upper bounds of its statistics lie below these; `curve` has none."""
