"""Remembered fingerprints are those that would be computed, whatever is in the memory's file."""

import json

import pytest

from clip_grounding.workflow import code_memory
from clip_grounding.workflow import fingerprint as code
from clip_grounding.workflow.code_memory import CodeMemory

FILES = {
    "score.py": "from clip_grounding.scoring import score\n\nscore(1)\n",
    "clip_grounding/__init__.py": "",
    "clip_grounding/scoring.py": "import numpy as np\n\n\ndef score(x):\n    return np.sqrt(x)\n",
    "clip_grounding/late.py": "def late():\n    return 5\n",
}
ROOTS = ("clip_grounding.late",)


@pytest.fixture
def scripts(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "scripts"


@pytest.fixture(autouse=True)
def as_in_a_new_process():
    forget()
    yield
    forget()


def forget():
    for function in (code.fingerprint, code.reach, code._library, code.minor_version):
        function.cache_clear()


def plan(scripts, path):
    """The fingerprints of one process, which are then remembered."""
    forget()
    memory = CodeMemory(scripts, path)
    found = [memory.fingerprint(scripts / "score.py", roots) for roots in ((), ROOTS)]
    memory.save()
    return found


def compute(scripts):
    forget()
    return [code.fingerprint(scripts / "score.py", roots) for roots in ((), ROOTS)]


def test_what_is_remembered_is_not_computed_again(scripts, tmp_path, monkeypatch):
    path = tmp_path / "data/memory.json"
    first = plan(scripts, path)
    assert first == compute(scripts)
    assert first[0] != first[1]
    monkeypatch.setattr(code, "fingerprint", None)
    memory = CodeMemory(scripts, path)
    assert [memory.fingerprint(scripts / "score.py", roots) for roots in ((), ROOTS)] == first


@pytest.mark.parametrize("name", FILES)
def test_an_edit_of_any_file_is_seen(scripts, tmp_path, name):
    path = tmp_path / "memory.json"
    before = plan(scripts, path)
    file = scripts / name
    file.write_text(f"{FILES[name]}\nmore = 1\n")
    after = plan(scripts, path)
    assert after == compute(scripts)
    assert (after != before) == (name in ("score.py", "clip_grounding/late.py"))
    file.write_text(FILES[name])
    assert plan(scripts, path) == before == compute(scripts)


def test_another_version_of_a_package_is_seen(scripts, tmp_path, monkeypatch):
    path = tmp_path / "memory.json"
    before = plan(scripts, path)
    monkeypatch.setattr(code, "version", lambda package: "99.0")
    after = plan(scripts, path)
    assert after[0] != before[0]
    assert after == compute(scripts)


def flip(content):
    """Exchange the remembered fingerprints."""
    memory = json.loads(content)
    known = memory["fingerprints"]
    memory["fingerprints"] = dict(zip(known, reversed(known.values()), strict=True))
    return json.dumps(memory)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "",
        lambda content: content[: len(content) // 2],
        lambda content: "[" * 100_000,
        lambda content: "null",
        lambda content: "{}",
        lambda content: content.replace('"fingerprints": {', '"fingerprints": {"a": 1,'),
        flip,
    ],
    ids=["empty", "cut", "deep", "null", "no keys", "a number more", "exchanged"],
)
def test_a_damaged_memory_is_not_believed(scripts, tmp_path, damage):
    path = tmp_path / "memory.json"
    expected = plan(scripts, path)
    path.write_text(damage(path.read_text()))
    assert plan(scripts, path) == expected
    assert CodeMemory(scripts, path)._known  # and is written anew


def test_without_a_place_for_it_nothing_is_remembered(scripts, tmp_path):
    (tmp_path / "file").write_text("")
    assert plan(scripts, tmp_path / "file" / "memory.json") == compute(scripts)


def test_files_that_change_while_planning_are_not_remembered(scripts, tmp_path):
    path = tmp_path / "memory.json"
    memory = CodeMemory(scripts, path)
    (scripts / "score.py").write_text(f"{FILES['score.py']}\nmore = 1\n")
    memory.fingerprint(scripts / "score.py")
    memory.save()
    assert not path.exists()


def test_the_memory_lies_where_planning_began(scripts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    memory = CodeMemory(scripts)
    memory.fingerprint(scripts / "score.py")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    memory.save()
    assert (tmp_path / code_memory.MEMORY).is_file()
