"""Tokens in the environment are in no file that a run writes."""

import pytest
from workflows import Run

pytestmark = pytest.mark.workflow

TOKEN = "hf_soMe-ToKen-1234567890"


def test_no_file_of_a_run_has_a_token_of_the_environment(checkpoint, tmp_path):
    dataset = {"kind": "scenes", "image_count": 2, "seed": 9, "models": ["random-clip"]}
    run = Run(
        tmp_path,
        {
            "dataset": "tiny",
            "datasets": {"tiny": dataset},
            "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        },
        dict.fromkeys(["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"], TOKEN),
    )
    done = run.snakemake("results/tiny/phrases.parquet", "data/models/random-clip/manifest.json")
    assert TOKEN not in done.stdout
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
