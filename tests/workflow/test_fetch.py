"""Downloads in a workflow: ahead of time, only what is needed, and once."""

import hashlib
import json
import re
from dataclasses import replace

import pytest
from hub import COMMIT, hub_answers
from serving import CERTIFICATE, serve, shop
from workflows import Run, png_config

from clip_grounding.downloads.urls import stored_name

pytestmark = pytest.mark.workflow

NO_NETWORK = """
import os, socket

def refuse(self, address, connect=socket.socket.connect):
    if self.family == socket.AF_UNIX:
        return connect(self, address)
    with open(os.environ["ATTEMPTS"], "a") as file:
        file.write(f"{address}\\n")
    raise RuntimeError("the test allows no network")  # no OSError: nobody is to try again

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = lambda host, *_: refuse(socket.socket(), host)
"""


def without_network(run: Run) -> Run:
    """The run with every socket of its processes refusing to connect."""
    blocked = run / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(NO_NETWORK)
    environment = {"PYTHONPATH": str(blocked), "ATTEMPTS": str(run / "attempts")}
    return replace(run, environment=environment)


def checked(url, published):
    """The config's entries of the published files with their sizes and checksums."""
    return {
        name: {
            "url": f"{url}/{file}",
            "size": len(published[f"/{file}"]),
            "sha256": hashlib.sha256(published[f"/{file}"]).hexdigest(),
        }
        for name, file in [
            ("images", "images.zip"),
            ("panoptic", "panoptic.zip"),
            ("narratives", "narratives.json"),
        ]
    }


def serve_published(published, tls=False):
    return serve({path: shop(body) for path, body in published.items()}, tls=tls)


def test_after_fetch_a_whole_run_touches_no_network(published, checkpoint, tmp_path):
    weights = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    with serve_published(published) as server, serve(hub_answers(weights)) as hub:
        config = png_config(server.url, checkpoint)
        config["models"]["random-clip"] = {"checkpoint": "owner/clip", "revision": COMMIT}
        config["evaluate"] = {"baselines": ["random"]}
        hub_settings = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_DISABLE_XET": "1",
        }
        run = Run(tmp_path, config, hub_settings)
        run.snakemake("fetch")
    offline = without_network(run)
    made = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert made == [".code"]  # what planning keeps, no result
    offline.snakemake("results/small-png/scores.parquet")
    assert not (run / "attempts").exists()
    facts = json.loads((run / "data/models/random-clip/manifest.json").read_text())
    assert facts["revision"] == COMMIT


def test_the_block_of_the_network_would_be_noticed(published, checkpoint, tmp_path):
    with serve_published(published) as server:
        run = without_network(Run(tmp_path, png_config(server.url, checkpoint)))
        done = run.snakemake("data/small-png/narratives.json", check=False)
    assert done.returncode != 0
    assert server.log == []
    assert "127.0.0.1" in (run / "attempts").read_text()


def test_raising_max_images_fetches_the_rest_and_reruns_no_finished_shard(
    published, checkpoint, tmp_path
):
    with serve_published(published, tls=True) as server:  # over plain http all would be checked
        config = png_config(server.url, checkpoint, **checked(server.url, published))
        config |= {"images_per_shard": 1, "max_images": 1}
        config["evaluate"] = {"directions": ["text_to_image"], "baselines": ["empty"]}
        run = Run(tmp_path, config, {"REQUESTS_CA_BUNDLE": str(CERTIFICATE)})
        relevance = "results/small-png/relevance/random-clip/gradient-attention/text_to_image"
        targets = [f"{relevance}/{shard:04d}.parquet" for shard in range(6)]
        run.snakemake(targets[0])
        first = (run / targets[0]).stat().st_mtime_ns

        more = {**config, "max_images": 2}
        new = {"download_images": 1, "compute_relevance": 1}
        assert run.planned(*targets[:2], config=more) == new
        run.snakemake(*targets[:2], config=more)
        assert (run / targets[0]).stat().st_mtime_ns == first

        everything = {**config, "max_images": None}
        new = {"download_images": 4, "compute_relevance": 4}
        assert run.planned(*targets, config=everything) == new
        run.snakemake("fetch", config=everything)
    stored = run / "data/small-png/downloads" / stored_name(f"{server.url}/images.zip")
    assert stored.read_bytes() == published["/images.zip"]
    assert not (run / "data/small-png/images/0001.zip").is_symlink()
    assert (run / "data/small-png/images/0005.zip").samefile(stored)
    sent = sum(request.sent for request in server.log if request.path == "/images.zip")
    assert sent == len(published["/images.zip"])  # every byte once


def test_a_download_that_is_run_again_checks_what_is_there_without_the_network(
    published, checkpoint, tmp_path
):
    with serve_published(published) as server:
        config = png_config(server.url, checkpoint, **checked(server.url, published))
        run = Run(tmp_path, config)
        files = ["data/small-png/images/0000.zip", "data/small-png/narratives.json"]
        run.snakemake(*files)
    again = ["--forcerun", "download_source", "download_images"]
    done = without_network(run).snakemake(*files, *again)
    assert "3 of 3 steps (100%) done" in done.stdout
    assert not (run / "attempts").exists()


@pytest.mark.parametrize("change", ["url", "sha256", "size"])
def test_another_url_checksum_or_size_downloads_again(published, checkpoint, tmp_path, change):
    with serve_published(published) as server:
        files = checked(server.url, published)
        config = png_config(server.url, checkpoint, **files)
        run = Run(tmp_path, config)
        run.snakemake("data/small-png/narratives.json")
    other = {"url": "http://127.0.0.1:1/other.json", "sha256": "0" * 64, "size": 5}[change]
    files["narratives"] = {**files["narratives"], change: other}
    changed = png_config(server.url, checkpoint, **files)
    planned = run.planned("data/small-png/narratives.json", config=changed)
    assert planned == {"download_source": 1}


def test_a_damaged_download_is_replaced_by_following_the_message(published, checkpoint, tmp_path):
    with serve_published(published) as server:
        run = Run(tmp_path, png_config(server.url, checkpoint))
        run.snakemake("fetch")
        stored = (run / "data/small-png/narratives.json").resolve()
        stored.write_bytes(stored.read_bytes()[:-100])
        table = "results/small-png/narratives.parquet"
        done = run.snakemake(table, check=False)
        assert done.returncode != 0
        damaged = re.search(r"error: (\S+): its sha256 .*: delete it to have it", done.stdout)
        (run / damaged[1]).unlink()
        run.snakemake(table)
    assert stored.read_bytes() == published["/narratives.json"]


def test_a_login_in_a_url_ends_the_run_before_it_is_written_anywhere(
    published, checkpoint, tmp_path
):
    with serve_published(published) as server:
        url = server.url.replace("://", "://user:hunter2@")
        run = Run(tmp_path, png_config(url, checkpoint))
        done = run.snakemake("fetch", check=False)
    assert done.returncode != 0
    assert "datasets.small-png.images.url: the URL holds a login" in done.stdout
    assert "hunter2" not in done.stdout
    assert server.log == []
    (run / "overlay.yaml").unlink()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in written)
