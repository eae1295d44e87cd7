"""Settings files: what YAML and JSON readers settle in silence is refused in one sentence."""

import pytest

from clip_grounding.errors import InputError
from clip_grounding.workflow.settings_files import read_given, read_settings


def nested_aliases(levels, first, wrap):
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {wrap([f'*a{i - 1}'] * 9)}" for i in range(1, levels)]
    return "\n".join(lines)


def as_list(items):
    return f"[{', '.join(items)}]"


def as_mapping(items):
    return "{" + ", ".join(f"k{i}: {item}" for i, item in enumerate(items)) + "}"


REFUSED = {
    "a key given twice": ("seed: 1\nmodels: {}\nseed: 2\n", "line 3: seed is given already in li"),
    "a nested key given twice": ("a:\n  b: 1\n  b: 1\n", "line 3: b is given already in line 2"),
    "a JSON key given twice": ('{"a": {"seed": 1, "seed": 2}}', "seed is given twice in the same"),
    "a list that contains itself": ("seed: &s [*s]\n", "line 1: contains itself by an alias"),
    "a mapping that contains itself": ("a: &s {b: *s}\n", "line 1: contains itself by an alias"),
    "lists that explode": (nested_aliases(9, "[1]", as_list), "more than 100,000 values"),
    "mappings that explode": (nested_aliases(9, "{k: 1}", as_mapping), "more than 100,000 values"),
    "a number without end": (f"seed: {'9' * 5000}\n", "cannot be read as settings"),
    "brackets without end": (f"seed: {'[' * 5000}{']' * 5000}\n", "cannot be read as settings"),
    "no YAML": ("a: [1\nb: }", "cannot be read as settings"),
    "no text": (b"\xff\xfe\x00", "cannot be read as settings"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_what_it_seems_is_refused_by_name(tmp_path, name):
    text, message = REFUSED[name]
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_and_merges_as_people_write_them_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {x: 1}\nb: {<<: *a, y: [&s 2, *s]}\nc: *a\n")
    assert read_settings(path) == {"a": {"x": 1}, "b": {"x": 1, "y": [2, 2]}, "c": {"x": 1}}


def test_json_is_read_and_an_empty_file_has_no_settings(tmp_path):
    (tmp_path / "mine.json").write_text('{"seed":\t3}')
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_settings(tmp_path / "mine.json") == {"seed": 3}
    assert read_settings(tmp_path / "empty.yaml") == {}


def test_numbers_inside_the_braces_of_the_command_line_are_numbers():
    given = {"evidence": {"images": "0", "share": "1e-3"}, "seed": 3, "shown": ["null", "-2"]}
    assert read_given(given) == {
        "evidence": {"images": 0, "share": 1e-3},
        "seed": 3,
        "shown": [None, -2],
    }
    texts = {"dataset": "scenes", "revision": "0x12", "version": "1.2.3", "name": "yes"}
    assert read_given(texts) == texts
