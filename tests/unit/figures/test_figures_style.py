"""What all charts have in common: their colours, their bytes, and what they import."""

import re
import subprocess
import sys
from pathlib import Path

from charts import draw_all

from clip_grounding.figures import style
from clip_grounding.figures.style import BASELINES, COLORS, LABELS, save_figure
from clip_grounding.gallery.index import ORDER
from clip_grounding.vocabulary import PROMPTS

FIGURES = Path(style.__file__).parent


def test_every_colour_is_named_in_the_style_file():
    for path in FIGURES.glob("*.py"):
        if path.name != "style.py":
            assert not re.findall(r"[\"']#[0-9A-Fa-f]{6}", path.read_text()), path.name
    others = {style.PHRASE, style.BAND, style.COUNTS, style.PUBLISHED, *style.WORD_SHADES}
    assert not others & set(COLORS.values())


def test_the_same_charts_are_the_same_bytes(tmp_path):
    for run in ("one", "two"):
        for name, figure in draw_all(["b32"]).items():
            save_figure(figure, [tmp_path / run / f"{name}.pdf"], dpi=60)
    files = sorted((tmp_path / "one").iterdir())
    assert len(files) == 9
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_every_contender_has_a_colour_of_its_own():
    assert list(COLORS) == list(LABELS)
    assert set(COLORS) == set(ORDER) == {*BASELINES, *PROMPTS}
    assert len(set(COLORS.values())) == len(COLORS)


def test_drawing_needs_no_torch():
    modules = [path.stem for path in FIGURES.glob("*.py") if "\ndef draw_" in path.read_text()]
    assert {"heatmap", "evidence", "gates"} < set(modules)
    code = "".join(f"import clip_grounding.figures.{name}\n" for name in modules)
    code += "import sys; assert 'torch' not in sys.modules"
    library = str(FIGURES.parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": library})
