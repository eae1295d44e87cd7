"""A fingerprint changes with the code that a script can reach, and with nothing else."""

import json

import pytest

from clip_grounding.workflow import fingerprint as module
from clip_grounding.workflow.fingerprint import describe, fingerprint, record_code

FILES = {
    "score.py": (
        '"""Docstring."""\nimport json\nfrom clip_grounding.logs import start_log\n'
        "from clip_grounding.scoring import score\n\n"
        'start_log("score.log")\nresult = score(json)\n'
    ),
    "clip_grounding/__init__.py": '"""The library."""\n__version__ = "1.0"\n',
    "clip_grounding/errors.py": (
        "AFFECTS_OUTPUT = False\n\n\nclass InputError(Exception):\n    pass\n\n\n"
        "class MemberError(InputError):\n    def __init__(self, message, member):\n"
        "        super().__init__(message)\n        self.member = member\n"
    ),
    "clip_grounding/logs.py": "AFFECTS_OUTPUT = False\n\n\ndef start_log(path):\n    open(path)\n",
    "clip_grounding/scoring.py": (
        '"""Score."""\nimport logging\nimport numpy as np\nfrom tqdm import tqdm\n'
        "from clip_grounding import helpers\n"
        "from clip_grounding.errors import InputError, MemberError\n"
        "from clip_grounding.rows import Row\n\n"
        'LIMIT = 3\n"""The limit."""\n\nUNUSED = 4\n\nlog = logging.getLogger("scoring")\n\n\n'
        'def score(x: float, limit=LIMIT) -> float:\n    """Score x."""\n'
        "    if x is None:\n"
        '        raise InputError(f"{x}: no number: give one")\n'
        "    if x == 0:\n"
        '        raise MemberError(f"{x}: none", 1)\n'
        '    assert x, "no x"\n'
        '    print(f"scored {x}", flush=True)\n'
        '    log.info("scored %s", x)\n'
        '    for _ in tqdm([x], desc="score", unit="row"):\n'
        "        x += helpers.twice(x)\n"
        "    return Row(np.sqrt(x), limit)\n\n\n"
        "def unused():\n    return UNUSED\n"
    ),
    "clip_grounding/rows.py": (
        "from typing import NamedTuple\n\n\nclass Row(NamedTuple):\n"
        "    a: float\n    b: int = 0\n\n"
        "    def total(self):\n        return self.a + self.b\n"
    ),
    "clip_grounding/helpers.py": (
        "def twice(x):\n    return 2 * x  # doubled\n\n\ndef thrice(x):\n    return 3 * x\n"
    ),
    "clip_grounding/methods/__init__.py": "",
    "clip_grounding/methods/late.py": "RATE = 5\n\n\ndef late():\n    return RATE\n",
}
SCORING, HELPERS = "clip_grounding/scoring.py", "clip_grounding/helpers.py"
LATE, ROWS = "clip_grounding/methods/late.py", "clip_grounding/rows.py"
PACKAGE = "clip_grounding/__init__.py"


@pytest.fixture
def house(tmp_path):
    """Write a script and its library, some of whose files are replaced or, as None, left out."""

    def write(**changed):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in {**FILES, **changed.pop("files", {})}.items():
            if text is not None:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return folder / "score.py"

    return write


def edited(name, old, new, count=-1):
    assert old in FILES[name]
    return {name: FILES[name].replace(old, new, count)}


UNSEEN = {
    "a comment": (HELPERS, "# doubled", "# times two"),
    "the layout": (HELPERS, "return 2 * x  #", "return (2*x)   #"),
    "a function's docstring": (SCORING, '"""Score x."""', '"""Score x well."""'),
    "a constant's docstring": (SCORING, '"""The limit."""', '"""Its limit."""'),
    "a module's docstring": (SCORING, '"""Score."""', '"""Scores, in other words."""'),
    "a script's docstring": ("score.py", '"""Docstring."""', '"""Another."""'),
    "the version": (PACKAGE, "1.0", "2.0"),
    "a function that nobody calls": (HELPERS, "3 * x", "4 * x"),
    "a constant that nobody reads": (SCORING, "UNUSED = 4", "UNUSED = 5"),
    "an error's words": (SCORING, "no number: give one", "not a number"),
    "what an error says": (SCORING, 'f"{x}: no number: give one"', "describe(x)"),
    "the words of an error with values": (SCORING, '{x}: none"', '{x}: missing"'),
    "an assertion's words": (SCORING, '"no x"', '"x is missing"'),
    "what is printed": (SCORING, 'f"scored {x}", flush=True', 'f"{x} has been scored"'),
    "a line that prints": (SCORING, "    return Row", '    print("done")\n    return Row'),
    "what is logged": (SCORING, '"scored %s", x', '"%s is scored", x'),
    "a progress bar's words": (SCORING, 'desc="score", unit="row"', 'desc="scoring"'),
    "annotations": (SCORING, "(x: float, limit=LIMIT) -> float", "(x, limit: int = LIMIT)"),
    "a log's function": ("clip_grounding/logs.py", "open(path)", 'open(path, "w")'),
    "a call for the log": ("score.py", 'start_log("score.log")\n', ""),
    "an import that is not used": (SCORING, "import logging\n", "import logging\nimport csv\n"),
    "a module found by no name": (LATE, "RATE = 5", "RATE = 6"),
}  # fmt: skip
UNSEEN["an import's other name"] = (SCORING, "import helpers\n", "import helpers as aids\n")


@pytest.mark.parametrize("what", UNSEEN)
def test_what_no_output_depends_on_changes_nothing(house, what):
    files = edited(*UNSEEN[what])
    if what == "an import's other name":
        files[SCORING] = files[SCORING].replace("helpers.twice", "aids.twice")
    assert fingerprint(house()) == fingerprint(house(files=files))


SEEN = {
    "the script": ("score.py", "score(json)", "score(1)"),
    "a constant of the script": ("score.py", "result =", "limit, result = 4,"),
    "a name of the script given a constant": ("score.py", "result =", "limit = 4\nresult ="),
    "a called function": (HELPERS, "2 * x", "4 * x"),
    "a constant behind a default": (SCORING, "LIMIT = 3", "LIMIT = 4"),
    "a default": (SCORING, "limit=LIMIT", "limit=3"),
    "the kind of an error": (SCORING, "raise InputError", "raise MemberError"),
    "a value in an error": (SCORING, ': none", 1', ': none", 2'),
    "where an error is raised": (SCORING, "x is None", "x is not None"),
    "a method of a class": (ROWS, "self.a + self.b", "self.a - self.b"),
    "the type of a field": (ROWS, "a: float", "a: int"),
    "the order of fields": (ROWS, "a: float\n    b: int = 0", "b: int\n    a: int"),
    "what a progress bar goes over": (SCORING, "tqdm([x]", "tqdm([x, x]"),
    "a call in what is printed": (SCORING, 'f"scored {x}"', "x.pop()"),
    "what is printed to a file": (SCORING, "flush=True", "file=x"),
    "what an imported name stands for": (SCORING, "import numpy as np", "import torch as np"),
    "an int for a float": (HELPERS, "2 * x", "2.0 * x"),
    "a statement that runs on import": (HELPERS, "def tw", "import os\nos.nice(1)\n\n\ndef tw"),
    "the same in a package around": (PACKAGE, "__v", "import os\nos.nice(1)\n__v"),
    "the same in a module imported and not used": (LATE, "RATE = 5", "RATE = 5\nopen('x')"),
}  # fmt: skip


@pytest.mark.parametrize("what", SEEN)
def test_what_an_output_can_depend_on_changes_it(house, what):
    base = {}
    if what.endswith("not used"):
        imports = "import clip_grounding.methods.late\n"
        base = {HELPERS: imports + FILES[HELPERS]}
    before = fingerprint(house(files=base))
    assert before != fingerprint(house(files={**base, **edited(*SEEN[what])}))


def test_a_moved_function_changes_nothing_however_it_is_imported(house):
    before = fingerprint(house())
    twice, thrice = FILES[HELPERS].split("\n\n\n")
    for old, new in (
        ("from clip_grounding import helpers", "from clip_grounding import moved"),
        ("from clip_grounding import helpers", "from clip_grounding.moved import twice"),
        ("from clip_grounding import helpers", "from clip_grounding.moved import twice as double"),
        ("from clip_grounding import helpers", "import clip_grounding.moved"),
        ("from clip_grounding import helpers", "import clip_grounding.moved as m"),
        ("from clip_grounding import helpers", "from clip_grounding.methods import twice"),
    ):
        called = {
            "import moved": "moved.twice", "import twice": "twice", "as double": "double",
            "import clip_grounding.moved": "clip_grounding.moved.twice", "as m": "m.twice",
        }  # fmt: skip
        use = next(call for end, call in called.items() if new.endswith(end))
        files = edited(SCORING, old, new)
        files[SCORING] = files[SCORING].replace("helpers.twice", use)
        files[HELPERS] = thrice
        files["clip_grounding/moved.py"] = twice + "\n"
        files["clip_grounding/methods/__init__.py"] = "from clip_grounding.moved import twice\n"
        assert fingerprint(house(files=files)) == before, new


def test_a_moved_file_changes_nothing(house):
    files = {
        SCORING: None,
        "clip_grounding/metrics/__init__.py": "",
        "clip_grounding/metrics/strict.py": FILES[SCORING],
        **edited("score.py", "clip_grounding.scoring", "clip_grounding.metrics.strict"),
    }
    assert fingerprint(house(files=files)) == fingerprint(house())


def test_a_function_that_moves_within_its_file_changes_nothing(house):
    first, second = FILES[HELPERS].split("\n\n\n")
    files = {HELPERS: f"{second}\n\n{first}\n"}
    assert fingerprint(house(files=files)) == fingerprint(house())


TWINS = {
    "clip_grounding/left.py": "RATE = 1\n\n\ndef rate():\n    return RATE\n",
    "clip_grounding/right.py": "RATE = 2\n\n\ndef rate():\n    return RATE\n",
}


def test_two_definitions_of_one_name_both_count(house):
    script = "from clip_grounding import left, right\nprint(left.rate() - right.rate())\n"
    files = {**TWINS, "score.py": script}
    before = fingerprint(house(files=files))
    for name in TWINS:
        other = {name: TWINS[name].replace("RATE = ", "RATE = 1")}
        assert fingerprint(house(files={**files, **other})) != before


def test_which_of_two_like_named_definitions_is_used_counts(house):
    """The definitions reached, and the text of each, are the same after the exchange."""
    script = "from clip_grounding import left, right\nprint(left.rate() - right.rate())\n"
    swapped = "from clip_grounding import left, right\nprint(right.rate() - left.rate())\n"
    again = "from clip_grounding import left, right\nprint(left.rate() - left.rate(), right.rate)\n"
    found = {
        fingerprint(house(files={**TWINS, "score.py": text})) for text in (script, swapped, again)
    }
    assert len(found) == 3


@pytest.mark.parametrize("name", ["", ".late"])
def test_what_a_root_names_and_what_follows_from_it_counts(house, name):
    roots = (f"clip_grounding.methods.late{name}",)
    before = fingerprint(house(), roots)
    assert before != fingerprint(house())
    for old, new in (("RATE = 5", "RATE = 6"), ("return RATE", "return RATE + 1")):
        assert before != fingerprint(house(files=edited(LATE, old, new)), roots)


@pytest.mark.parametrize("root", ["clip_grounding.methods.none", "methods", "os.path"])
def test_a_root_that_is_not_there_is_refused(house, root):
    with pytest.raises(ValueError, match=root):
        fingerprint(house(), (root,))


def test_a_module_that_is_handed_on_counts_whole(house):
    files = edited("score.py", "score(json)", "score(helpers)")
    files["score.py"] = "from clip_grounding import helpers\n" + files["score.py"]
    thrice = edited(HELPERS, "3 * x", "4 * x")
    assert fingerprint(house(files=files)) != fingerprint(house(files={**files, **thrice}))


def test_what_a_decorator_of_the_library_registers_counts(house):
    table = "TABLE = {}\n\n\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\n\n\n"
    files = {
        "clip_grounding/table.py": table,
        HELPERS: "from clip_grounding.table import register\n\n\n@register\n" + FILES[HELPERS]
        + "\n\n@register\ndef fourth(x):\n    return 4 * x\n",
    }  # fmt: skip
    other = {**files, HELPERS: files[HELPERS].replace("4 * x", "5 * x")}
    assert fingerprint(house(files=files)) != fingerprint(house(files=other))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("from . import helpers", "relative import"),
        ("from clip_grounding.helpers import *", "import of *"),
        ("from clip_grounding.helpers import nothing; nothing()", "helpers.nothing"),
        ("from clip_grounding.gone import nothing; nothing()", "gone.nothing"),
        (
            "try:\n    from clip_grounding.helpers import twice as f\n"
            "except ImportError:\n    from clip_grounding.helpers import thrice as f",
            "as one name, f",
        ),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(house, statement, said):
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        fingerprint(house(files={"score.py": f"{statement}\n"}))


def test_a_package_counts_by_its_minor_version_where_a_reached_definition_names_it(
    house, monkeypatch
):
    def of(version, **more):
        monkeypatch.setattr(module, "minor_version", lambda _: ".".join(version.split(".")[:2]))
        return fingerprint(house(**more))

    assert of("9.7.1") == of("9.7.2")
    assert of("9.7.1") != of("9.8.0")
    # numpy is imported, and what the script reaches does not name it
    unused = edited(SCORING, "np.sqrt(x)", "x")
    assert of("9.7.1", files=unused) == of("9.8.0", files=unused)


def test_what_a_fingerprint_stands_for_is_recorded_once(house, tmp_path):
    script, folder = house(), tmp_path / "records"
    code = fingerprint(script)
    record_code(code, script, (), folder)
    (path,) = folder.iterdir()
    assert path.name == f"{code}.json"
    record = json.loads(path.read_text())
    assert record == describe(script)
    assert "clip_grounding.helpers.twice" in record["definitions"]
    assert list(record["libraries"]) == ["numpy"]
    assert not any("unused" in name for name in record["definitions"])
    path.write_text("{}")
    record_code.cache_clear()
    record_code(code, script, (), folder)
    assert path.read_text() == "{}"
