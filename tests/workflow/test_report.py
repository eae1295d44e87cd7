"""The report: every figure and table is in it, described, and nothing is fetched for it."""

import json
import re
from pathlib import PurePath
from zipfile import ZipFile

import pytest
from workflows import ROOT

pytestmark = pytest.mark.workflow

CHARTS = [
    "heatmap", "cost", "scores", "strict", "differences", "area", "slices", "thresholds",
    "waterfall",
]  # fmt: skip
TABLES = [
    "summary.csv", "coverage.csv", "comparisons.csv", "rankings.csv", "waterfall.csv", "areas.csv",
    "curves.csv",
]  # fmt: skip
OF_GATES = ["cascade", "gates"]
OF_EVIDENCE = ["effects", "evidence", "outcomes", "removal"]
OWN = "random-clip/gradient-attention"
EXPECTED = {
    *(f"results/tiny/{table}" for table in TABLES),
    *(f"results/tiny/figures/{chart}.{kind}" for chart in CHARTS for kind in ("pdf", "png")),
    *(f"results/tiny/figures/examples/{OWN}.{kind}" for kind in ("pdf", "png")),
    f"results/tiny/animations/{OWN}/auto.gif",
}


@pytest.fixture(scope="module")
def report(finished, tmp_path_factory):
    """What snakemake says, the zip, and the page in it; the network leads nowhere."""
    path = tmp_path_factory.mktemp("report") / "report.zip"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        said = finished.snakemake("--report", path).stdout
    with ZipFile(path) as archive:
        yield said, archive, archive.read("report/report.html").decode()


def variable(page, name):
    """A value that the page holds as JSON."""
    start = re.search(rf'<script id="[\w-]+">\s+var {name} = ', page).end()
    return json.JSONDecoder().raw_decode(page, start)[0]


def test_the_report_is_made_without_a_warning(report):
    said = report[0]
    assert "Report created." in said
    assert not re.search("warning|error", said, re.IGNORECASE), said


def test_every_figure_and_table_is_in_the_report_as_it_is_in_the_results(report, finished):
    _, archive, page = report
    results = variable(page, "results")
    assert set(results) == EXPECTED
    for path, result in results.items():
        stored = archive.read(f"report/{result['data_uri']}")
        assert stored == (finished / path).read_bytes(), path


def test_every_figure_and_table_has_a_caption_a_category_and_labels(report):
    page = report[2]
    results = variable(page, "results")
    categories = variable(page, "categories")
    assert set(categories) == {"tiny"}
    assert set(categories["tiny"]) == {"Scores", "Tables", "Examples"}
    listed = [path for paths in categories["tiny"].values() for path in paths]
    assert sorted(listed) == sorted(EXPECTED)
    captions = {path: re.sub("<.*?>", "", result["caption"]) for path, result in results.items()}
    for path, result in results.items():
        assert len(captions[path].split()) > 30, path
        assert "{" not in captions[path], path
        assert "System Message" not in captions[path], path
        assert result["labels"], path
        assert ("random-clip" if OWN in path else "tiny") in captions[path], path
    by_labels = {json.dumps(result["labels"], sort_keys=True) for result in results.values()}
    assert len(by_labels) == len(results)


def test_the_workflow_is_described_with_this_run_s_settings(report):
    described = variable(report[2], "workflow_desc")
    for fact in ("<strong>tiny</strong>", "12 images", "random-clip", "200 resamples", "95 %"):
        assert fact in re.sub(r"\s+", " ", described), fact
    assert "{" not in described
    assert "system-message" not in described


def test_the_report_s_page_loads_nothing_from_elsewhere(report):
    head = report[2]
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", head)


def test_every_caption_is_used_and_every_reported_file_has_one():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    used = re.findall(r'caption=f?"report/(.+\.rst)"', rules)
    assert len(re.findall(r"(?:report|captioned)\(\n", rules)) == len(used)
    used.remove("{chart}.rst")
    used += [f"{chart}.rst" for chart in (*CHARTS, *OF_EVIDENCE, *OF_GATES)]
    files = {path.name for path in (ROOT / "rules/report").iterdir()}
    assert files == {*used, "workflow.rst"}
    assert {PurePath(name).suffix for name in files} == {".rst"}
