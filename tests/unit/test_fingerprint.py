"""Fingerprints change with code and with nothing else."""

import json

import pytest

from clip_grounding.fingerprint import explain_change, fingerprint

SCRIPT = '''"""Docstring."""
import json
from clip_grounding.scoring import score
score(json)
'''
MODULES = {
    "__init__.py": '"""The library."""\n__version__ = "1.0"\n',
    "scoring.py": (
        '"""Score."""\nimport numpy as np\nfrom clip_grounding import helpers\n\n'
        'LIMIT = 3\n"""The limit."""\n\n'
        'def score(x):\n    """Score x."""\n    return helpers.twice(x)\n'
    ),
    "helpers.py": (
        "def twice(x):\n    return 2 * x  # doubled\n\n\ndef thrice(x):\n    return 3 * x\n"
    ),
    "unrelated.py": "def other():\n    return 1\n",
    "methods/__init__.py": "",
    "methods/late.py": "def late():\n    return 5\n",
}


@pytest.fixture
def house(tmp_path):
    (tmp_path / "score.py").write_text(SCRIPT)
    for name, text in MODULES.items():
        path = tmp_path / "clip_grounding" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(house, name, old, new):
    """A copy of the house in which one file is edited: files are read once per process."""
    copy = house.parent / f"{house.name}-edited"
    for path in [*house.rglob("*.py")]:
        target = copy / path.relative_to(house)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text()
        if path.relative_to(house).as_posix() == name:
            assert old in text
            text = text.replace(old, new)
        target.write_text(text)
    return copy


def of(house, *modules):
    fingerprint.cache_clear()
    return fingerprint(house / "score.py", modules)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("clip_grounding/helpers.py", "# doubled", "# times two"),
        ("clip_grounding/helpers.py", "return 2 * x  #", "return 2*x   #"),
        ("clip_grounding/scoring.py", '"""Score x."""', '"""Score x well."""'),
        ("clip_grounding/scoring.py", '"""The limit."""', '"""Its limit."""'),
        ("clip_grounding/scoring.py", '"""Score."""', '"""Scores, in other words."""'),
        ("clip_grounding/__init__.py", "1.0", "2.0"),
        ("clip_grounding/unrelated.py", "return 1", "return 2"),
        ("clip_grounding/methods/late.py", "return 5", "return 6"),
        ("score.py", '"""Docstring."""', '"""Another."""'),
    ],
)
def test_words_layout_and_other_modules_change_nothing(house, name, old, new):
    assert of(house) == of(edit(house, name, old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("score.py", "score(json)", "score(1)", "score.py: its top level changed"),
        (
            "clip_grounding/helpers.py",
            "2 * x",
            "4 * x",
            "clip_grounding.helpers: `twice` changed",
        ),
        (
            "clip_grounding/scoring.py",
            "LIMIT = 3",
            "LIMIT = 4",
            "clip_grounding.scoring: its top level changed",
        ),
        (
            "clip_grounding/helpers.py",
            "def thrice",
            "def triple",
            "clip_grounding.helpers: `thrice` is gone",
        ),
    ],
)
def test_code_that_is_imported_counts_and_is_named(house, name, old, new, said):
    before, after = of(house), of(edit(house, name, old, new))
    assert before != after
    assert said in explain_change(before, after)


def test_a_module_loaded_by_name_counts_for_who_loads_it(house):
    edited = edit(house, "clip_grounding/methods/late.py", "return 5", "return 6")
    module = "clip_grounding.methods.late"
    assert of(house, module) != of(edited, module)
    assert explain_change(of(house, module), of(edited, module)) == [f"{module}: `late` changed"]


def test_libraries_that_change_numbers_count_by_minor_version(house, monkeypatch):
    assert list(json.loads(of(house))["libraries"]) == ["numpy"]
    monkeypatch.setattr("clip_grounding.fingerprint.version", lambda _: "9.7.1")
    before = of(house)
    monkeypatch.setattr("clip_grounding.fingerprint.version", lambda _: "9.7.2")
    assert of(house) == before
    monkeypatch.setattr("clip_grounding.fingerprint.version", lambda _: "9.8.0")
    assert explain_change(before, of(house)) == ["numpy is 9.8, was 9.7"]


def test_a_relative_import_is_refused(house):
    edited = edit(house, "score.py", "import json", "from . import json")
    with pytest.raises(ValueError, match="relative import"):
        of(edited)
