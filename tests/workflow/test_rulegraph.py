"""The rule graph of each configuration, as text, so that a changed graph shows in a review.

To accept a change: python tests/workflow/test_rulegraph.py
"""

import re
from pathlib import Path

import pytest
from workflows import Run

pytestmark = pytest.mark.workflow

GRAPHS = Path(__file__).parents[1] / "data" / "rulegraphs"
CONFIGS = {
    "png": {},
    "scenes": {"dataset": "scenes"},
    "scenes-text-to-image": {
        "dataset": "scenes",
        "evaluate": {"directions": ["text_to_image"], "baselines": ["random"]},
    },
}


def rule_graph(folder, config) -> str:
    """One line per edge, producer first."""
    dot = Run(Path(folder), config).snakemake("--rulegraph").stdout
    names = dict(re.findall(r"(\d+)\[label = \"(\w+)\"", dot))
    edges = re.findall(r"(\d+) -> (\d+)", dot)
    return "\n".join(sorted(f"{names[a]} -> {names[b]}" for a, b in edges)) + "\n"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_rule_graph_is_the_one_on_record(tmp_path, name):
    assert rule_graph(tmp_path, CONFIGS[name]) == (GRAPHS / f"{name}.txt").read_text()


if __name__ == "__main__":
    import tempfile

    GRAPHS.mkdir(parents=True, exist_ok=True)
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            (GRAPHS / f"{name}.txt").write_text(rule_graph(folder, config))
