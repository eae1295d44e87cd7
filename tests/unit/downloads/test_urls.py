"""URLs: credentials are refused and never written, and no two files share a name."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from serving import Answer, serve, shop

from clip_grounding.downloads import remote
from clip_grounding.downloads.sources import bring_source
from clip_grounding.downloads.urls import (
    describe_url,
    hide_secrets,
    plain_name,
    printable,
    stored_name,
    why_secret,
)
from clip_grounding.errors import InputError
from clip_grounding.workflow.config import validate_config

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "rules/schemas/config.schema.yaml"
SETTINGS = yaml.safe_load((ROOT / "config.yaml").read_text())
SECRET = "hunter2"
SECRET_NAMES = [
    "token",
    "TOKEN",
    "access_token",
    "client_secret",
    "key",
    "api_key",
    "apikey",
    "sig",
    "se.sig",
    "signature",
    "password",
    "passwd",
    "pwd",
    "auth",
    "jwt",
    "session_id",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Key-Pair-Id",
    "X-Goog-Signature",
]
SECRET_URLS = [
    f"https://user:{SECRET}@example.org/a.zip",
    f"https://{SECRET}@example.org/a.zip",
    *(f"https://example.org/a.zip?id=1&{name}={SECRET}" for name in SECRET_NAMES),
]


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("where", ["images", "narratives", "published"])
def test_a_url_with_a_secret_is_refused_in_the_config_and_not_repeated(url, where):
    config = deepcopy(SETTINGS)
    if where == "published":
        config["published_metrics"] = url
        key = "published_metrics"
    else:
        config["datasets"]["png_val2017"][where]["url"] = ["https://example.org/b.zip", url]
        key = f"datasets.png_val2017.{where}.url[1]"
    with pytest.raises(InputError) as refusal:
        validate_config(config, SCHEMA)
    assert f"{key}: the URL" in str(refusal.value)
    assert "~/.netrc" in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.zip?id=1&download=true&raw=1",
        "https://example.org/a.zip?monkey=1&keyword=2&design=3&compass=4&author=5",
        "https://example.org/@someone/a.zip",
        "file:///archive/a.zip",
        "archive/a@b.zip",
    ],
)
def test_a_url_without_a_secret_is_accepted(url):
    assert why_secret(url) is None


def test_other_errors_of_the_config_do_not_repeat_a_secret_either():
    config = deepcopy(SETTINGS)
    config["datasets"]["png_val2017"]["images"]["url"] = (
        f"ftp://user:{SECRET}@host/a?token={SECRET}"
    )
    config["models"]["openai-vit-b32"]["checkpoint"] = f"https://host/a?token={SECRET}"
    with pytest.raises(InputError) as refusal:
        validate_config(config, SCHEMA)
    assert SECRET not in str(refusal.value)


def test_the_login_of_netrc_is_used_and_written_nowhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    body = json.dumps(["narrative"] * 50_000).encode()
    answers = {"/a.json": [shop(body, cut=100_000), Answer(status=404)]}
    with serve(answers) as server, pytest.raises(InputError, match="404"):
        bring_source([f"{server.url}/a.json"], "data/ds/narratives.json", "data/ds")
    with serve({"/a.json": shop(body)}) as server:
        bring_source([f"{server.url}/a.json"], "data/ds/narratives.json", "data/ds")
    assert server.log[0].authorization.startswith("Basic ")
    written = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not any(SECRET.encode() in content for content in written)
    assert SECRET not in "".join(capsys.readouterr())


def test_not_even_a_query_that_looks_harmless_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "PAUSES", (0.01,))
    body = json.dumps(["narrative"] * 50_000).encode()
    answers = {"/a.json": [shop(body, cut=100_000), Answer(status=500)]}
    with serve(answers) as server:
        urls = [f"{server.url}/a.json?d={SECRET}"]
        with pytest.raises(InputError) as refusal:
            bring_source(urls, "data/ds/narratives.json", "data/ds")
        assert list((tmp_path / "data/ds/downloads").glob("*.part.json"))
        answers["/a.json"] = shop(body)
        bring_source(urls, "data/ds/narratives.json", "data/ds")
    assert server.log[0].path.endswith(SECRET)
    assert server.log[-1].range.startswith("bytes=")  # the note was recognised without it
    names = [str(path) for path in (tmp_path / "data").rglob("*")]
    written = [path.read_text() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert SECRET not in "".join([*names, *written, *capsys.readouterr(), str(refusal.value)])


def test_a_redirect_with_a_token_that_fails_is_not_repeated(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(remote, "PAUSES", (0.01,))
    for target in (f"http://127.0.0.1:1/a?token={SECRET}", f"http://[::1?token={SECRET}"):
        redirect = Answer(status=302, headers={"Location": target})
        with serve({"/a.json": redirect}) as server, pytest.raises(InputError) as refusal:
            bring_source([f"{server.url}/a.json"], tmp_path / "narratives.json", tmp_path)
        assert SECRET not in str(refusal.value) + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/val2017.zip", "val2017.zip"),
        ("https://example.org/a/val2017.zip?id=3#x", "val2017.zip"),
        ("https://example.org/a/png%20coco.json", "png_coco.json"),
        ("https://example.org/a/%2F..", "file"),
        ("https://example.org/a/..%2F..%2Fetc%2Fpasswd", "etc_passwd"),
        ("https://example.org/a/%00", "file"),
        ("https://example.org/a/%1B[31mred.zip", "31mred.zip"),
        ("https://example.org", "file"),
        ("http://[::1", "file"),
    ],
)
def test_a_name_is_readable_and_harmless(url, name):
    assert plain_name(url) == name


@given(st.text(), st.text())
def test_any_two_urls_have_different_short_names_in_the_folder(one, other):
    urls = [f"https://example.org/{text}" for text in (one, other)]
    names = [stored_name(url) for url in urls]
    assert (names[0] == names[1]) == (urls[0] == urls[1])
    for name in names:
        assert len(name) <= 100
        assert Path(name).name == name
        assert not name.startswith(".")
        assert name.isascii()
        assert name.isprintable()


def test_a_name_of_300_characters_is_shortened(tmp_path):
    name = "x" * 300 + ".json"
    with serve({f"/{name}": b"[1]"}) as server:
        bring_source([f"{server.url}/{name}"], tmp_path / "narratives.json", tmp_path)
    assert (tmp_path / "narratives.json").read_bytes() == b"[1]"


@given(st.text())
def test_foreign_text_is_one_harmless_line(text):
    assert printable(text).isprintable()


@given(st.text(alphabet="abc/?#@:=&%. "))
def test_a_described_url_has_neither_login_nor_query(rest):
    shown = describe_url(f"https://user:{SECRET}@host/path?token={SECRET}&{rest}")
    assert shown.startswith("https://host/path?…")
    assert SECRET not in shown
    assert SECRET not in hide_secrets(f"x: https://user:{SECRET}@host/path?token={SECRET} failed")
