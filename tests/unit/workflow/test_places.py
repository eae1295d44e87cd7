"""Paths in the settings: what they are relative to, and that they lead somewhere."""

from pathlib import Path

import pytest

from clip_grounding.workflow.places import Layer, resolve_places


def settings(checkpoint="./clip", url="panoptic.zip", published=None):
    return {
        "datasets": {"ds": {"panoptic": {"url": url}}, "scenes": {"kind": "scenes"}},
        "models": {
            "m": {"checkpoint": checkpoint, "revision": None},
            "hub": {"checkpoint": "owner/clip", "revision": "1"},
            "trained": {"train": "scenes"},
        },
        "published_metrics": published,
    }


CHECKPOINT = ("models", "m", "checkpoint")
URL = ("datasets", "ds", "panoptic", "url")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of settings files, and the working directory, each with both files."""
    for name in ("first", "second", "work"):
        (tmp_path / name / "clip").mkdir(parents=True)
        (tmp_path / name / "panoptic.zip").touch()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_a_path_is_taken_from_the_folder_of_the_file_that_names_it(folders):
    config = settings()
    layers = [
        Layer({"models": {"m": {"checkpoint": "./clip"}}, "seed": 3}, folders / "first"),
        Layer(settings(), folders / "second"),
    ]
    assert resolve_places(config, layers) == {}
    assert config["models"]["m"]["checkpoint"] == str(folders / "first/clip")
    assert config["datasets"]["ds"]["panoptic"]["url"] == [str(folders / "second/panoptic.zip")]
    assert config["models"]["hub"] == {"checkpoint": "owner/clip", "revision": "1"}


def test_the_working_directory_is_the_second_choice(folders):
    (folders / "first/panoptic.zip").unlink()
    config = settings(url=["panoptic.zip", "http://server/panoptic.zip"])
    assert resolve_places(config, [Layer(settings(), folders / "first")]) == {}
    places = [str(folders / "work/panoptic.zip"), "http://server/panoptic.zip"]
    assert config["datasets"]["ds"]["panoptic"]["url"] == places


def test_resolving_again_changes_nothing(folders):
    config = settings(url="../second/panoptic.zip")
    resolve_places(config, [Layer(settings(), folders / "first")])
    assert config["datasets"]["ds"]["panoptic"]["url"] == [str(folders / "second/panoptic.zip")]
    again = {**config}
    assert resolve_places(again, [Layer(again, folders / "work")]) == {}
    assert again == config


def test_home_and_file_urls_are_paths(folders, monkeypatch):
    monkeypatch.setenv("HOME", str(folders / "first"))
    config = settings("~/clip", f"file://{folders}/second/panoptic.zip")
    assert resolve_places(config, []) == {}
    assert config["models"]["m"]["checkpoint"] == str(folders / "first/clip")


def test_a_step_back_out_of_a_link_is_followed_as_the_system_does(folders):
    (folders / "work/link").symlink_to(folders / "second/clip")
    (folders / "work/clip").rmdir()
    config = settings("./link/../clip")
    assert resolve_places(config, []) == {}
    assert Path(config["models"]["m"]["checkpoint"]).samefile(folders / "second/clip")


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("./none", "./none does not exist: there is neither"),
        ("/none/clip", "/none/clip does not exist: correct the path"),
        ("~nosuchuser/clip", "~nosuchuser/clip: there is no user nosuchuser"),
        ("./cl\0ip", r"'./cl\x00ip' has a NUL character"),
        ("./" + 300 * "x", "cannot be read (File name too long)"),
        ("./panoptic.zip/clip", "does not exist"),
        ("./panoptic.zip", "panoptic.zip is not a folder"),
    ],
)
def test_a_path_that_leads_nowhere_is_reported_with_its_key(folders, checkpoint, message):
    problems = resolve_places(settings(checkpoint), [Layer(settings(), folders / "first")])
    assert list(problems) == [CHECKPOINT]
    assert message in problems[CHECKPOINT]


def test_of_several_places_one_has_to_be_there(folders):
    assert list(resolve_places(settings(url=["a.zip", "b.zip"]), [])) == [URL]
    assert resolve_places(settings(url=["a.zip", "panoptic.zip"]), []) == {}
    assert resolve_places(settings(url=["a.zip", "https://server/p.zip"]), []) == {}


def test_published_metrics_may_be_a_server_or_has_to_be_there(folders):
    assert resolve_places(settings(published="http://server/files"), []) == {}
    assert list(resolve_places(settings(published="files"), [])) == [("published_metrics",)]
