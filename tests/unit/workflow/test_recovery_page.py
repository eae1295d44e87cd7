"""Each remedy and each defence that the documentation promises names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}


def cells(page: str) -> list[str]:
    """Return the last cell of every line of a page's tables."""
    lines = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("|")]
    return [line.strip("|").split("|")[-1] for line in lines if "---" not in line]


@pytest.mark.parametrize("page", ["docs/recovery.md", "SECURITY.md"])
def test_every_promise_names_tests_that_exist(page):
    promises = [cell for cell in cells(page) if "tested in" not in cell]
    assert len(promises) > 8
    for cell in promises:
        named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", cell)
        assert named, f"{page}: no test in {cell}"
        for file, test in named:
            assert file in TESTS, f"{page}: {file}"
            assert f"def {test}" in TESTS[file].read_text(), f"{page}: {file}::{test}"
