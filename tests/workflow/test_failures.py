"""What a user sees when something is wrong: one clear message, and nothing finished is lost."""

import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from serving import serve
from workflows import Run, copy_run, png_config

pytestmark = pytest.mark.workflow


def test_a_dataset_from_a_server_is_read_like_a_rendered_one(published, checkpoint, tmp_path):
    with serve(published) as server:
        run = Run(tmp_path, png_config(server.url, checkpoint))
        run.snakemake("results/small-png/masks/0001.parquet")
    assert (run / "results/small-png/masks/0001.parquet").exists()
    # The server is gone: what was downloaded is not asked for again.
    assert set(run.planned("results/small-png/masks/0000.parquet")) == {"rasterize_masks"}


def test_a_wrong_checksum_is_refused_and_leaves_no_file(published, checkpoint, tmp_path):
    with serve(published) as server:
        url = f"{server.url}/narratives.json"
        narratives = {"url": url, "sha256": "0" * 64}
        run = Run(tmp_path, png_config(server.url, checkpoint, narratives=narratives))
        done = run.snakemake("data/small-png/narratives.json", check=False)
    assert done.returncode != 0
    assert f"{'0' * 64} was expected" in done.stdout
    assert "Traceback" not in done.stdout.split("error:")[1].split("RuleException")[0]
    assert not (run / "data/small-png/narratives.json").exists()


def test_a_damaged_image_fails_its_shard_alone_and_names_it(published, checkpoint, tmp_path):
    with serve(published) as server:
        run = Run(tmp_path, png_config(server.url, checkpoint))
        run.config["evaluate"] = {"directions": ["text_to_image"], "baselines": ["empty"]}
        run.snakemake("fetch")
    # Flip bytes in the first image's data: the zip's directory stays whole.
    stored = (run / "data/small-png/images.zip").resolve()
    # Seen when it is planned, unless the file looks as before.
    status, damaged = stored.stat(), bytearray(stored.read_bytes())
    damaged[200:220] = bytes(20)
    stored.write_bytes(damaged)
    os.utime(stored, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = run.snakemake(check=False)
    relevance = "results/small-png/relevance/random-clip/gradient-attention/text_to_image"
    assert done.returncode != 0
    remedy = f"delete data/small-png/downloads/{stored.name} and rerun"
    assert f"is damaged (CRC): {remedy}" in done.stdout
    log = "logs/small-png/compute_relevance/random-clip/gradient-attention/text_to_image/0000.log"
    assert log in done.stdout
    assert "is damaged (CRC)" in (run / log).read_text()
    assert not (run / relevance / "0000.parquet").exists()
    assert (run / relevance / "0001.parquet").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datset": "tiny"}, "datset: unknown key; did you mean dataset"),
        ({"batch_size": 0}, "batch_size: 0 given; allowed: a whole number at least 1"),
        ({"dataset": "coco"}, "dataset: coco is not defined"),
        ({"evaluate": {"attributions": ["lime"]}}, "evaluate.attributions: lime is not defined"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_any_job(tmp_path, change, message):
    done = Run(tmp_path, change).snakemake("--dry-run", check=False)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout


def test_scores_that_were_changed_are_refused_and_deleting_them_helps(finished, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    shard = run / "results/tiny/scores/random-clip/gradient-attention/text_to_image/0001.parquet"
    scores = run / "results/tiny/scores.parquet"
    whole, right = shard.read_bytes(), scores.read_bytes()
    table = pq.read_table(shard)
    pq.write_table(pa.concat_tables([table, table]), shard)  # every row twice, and the same stamp
    done = run.snakemake("results/tiny/scores.parquet", check=False)
    assert done.returncode != 0
    assert "0001.parquet: changed since it was written" in done.stdout
    assert not scores.exists()  # no table rather than a wrong one
    shard.unlink()
    run.snakemake("results/tiny/scores.parquet")
    pd.testing.assert_frame_equal(
        pq.read_table(shard).to_pandas(), pq.read_table(pa.BufferReader(whole)).to_pandas()
    )
    assert scores.read_bytes() == right
