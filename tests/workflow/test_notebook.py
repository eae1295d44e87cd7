"""docs/explore.ipynb runs from top to bottom on a finished run, and is stored without outputs."""

import re

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from workflows import ROOT

NOTEBOOK = ROOT / "docs/explore.ipynb"
SETTINGS = {"RUN": "REPOSITORY", "DATASET, SPLIT": '"scenes", "scenes"'}


@pytest.fixture(scope="module")
def executed(finished):
    """The notebook after a run of all cells in docs/, pointed to the finished run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    values = {"RUN": f"Path({str(finished.folder)!r})", "DATASET, SPLIT": '"tiny", "scenes"'}
    cell = notebook.cells[1]
    for name, default in SETTINGS.items():
        assert f"\n{name} = {default}" in cell.source
        cell.source = cell.source.replace(f"{name} = {default}", f"{name} = {values[name]}")
    place = {"metadata": {"path": NOTEBOOK.parent}}
    NotebookClient(notebook, timeout=600, startup_timeout=300, resources=place).execute()
    return notebook


def outputs_of(notebook, words):
    """What the one code cell with these words gives, by kind of content."""
    (cell,) = [c for c in notebook.cells if c.cell_type == "code" and words in c.source]
    return {
        kind: content
        for output in cell.outputs
        for kind, content in output.get("data", {"text": output.get("text")}).items()
    }


@pytest.mark.workflow
def test_the_cells_load_rank_plot_and_overlay_a_phrase(executed, finished):
    scores = pd.read_parquet(finished / "results/tiny/scores.parquet")
    counts = outputs_of(executed, 'read_parquet(RESULTS / "scores')["text/html"]
    assert f"<td>{len(pd.read_parquet(finished / 'results/tiny/phrases.parquet'))}</td>" in counts
    own = scores[(scores["prompt"] == "matched") & (scores["direction"] == "text_to_image")]
    best = own.loc[(own["ap"] - own["chance"]).idxmax()]
    ranking = outputs_of(executed, "ranked =")["text/html"]
    first = re.findall(r"<td>([\d.-]+)</td>", ranking)[:2]
    assert [float(x) for x in first] == pytest.approx([best["chance"], best["ap"]], abs=6e-4)
    assert "image/png" in outputs_of(executed, "axes.scatter")
    pictures = outputs_of(executed, "show_picture(panels[0]")
    assert "image/png" in pictures
    texts = pd.read_parquet(finished / "results/tiny/narratives.parquet").set_index("narrative")
    assert pictures["text"].strip() == texts.loc[best["narrative"], "text"]


@pytest.mark.workflow
def test_no_cell_complains(executed):
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output["text"]


def test_the_stored_notebook_is_short_and_has_no_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert 8 <= len(code) <= 12
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 25
