"""The evidence on the gallery's page: the filter, the tables and the curves; none without it."""

import json

import pytest
from browser_pages import (
    choose,
    open_page,
    overflow,
    press,
    resize,
    run_axe,
    set_theme,
    settled,
    values_of,
    wait_until,
)
from galleries import CAPTION, write_gallery

from clip_grounding.geometry import WHOLE

pytestmark = pytest.mark.browser

VIEWS = dict.fromkeys(("first", "second"), WHOLE)
MEASURED = "#item=text_to_image-4-0"
UNDRAWN = "#item=text_to_image-3-0"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Sixty items of two models; the evidence is of the even narratives."""
    folder = tmp_path_factory.mktemp("gallery")
    return write_gallery(folder, [CAPTION] * 15, VIEWS, evidence=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A gallery without evidence."""
    return write_gallery(tmp_path_factory.mktemp("gallery"), [CAPTION] * 4)


def open_item(browser, page, fragment):
    open_page(browser, page, fragment)
    settled(browser)
    if fragment != UNDRAWN:
        wait_until(
            browser, "return document.querySelectorAll('#detail .evidence table').length === 2"
        )


def rows_of(browser, place):
    """The cells of one of the tables of the evidence, as text."""
    return browser.execute_script(
        """return [...document.querySelectorAll('#detail .evidence table')[arguments[0]].rows]
             .map(row => [...row.cells].map(cell => cell.textContent))""",
        place,
    )


@pytest.mark.parametrize("outcome", ["grounded", "missed", "flattered", "neither"])
def test_the_filter_shows_the_phrases_of_an_outcome(browser, page, outcome):
    open_page(browser, page)
    choose(browser, "outcome", outcome)
    values = values_of(browser, "outcomes")
    assert values
    assert all(outcome in own for own in values)


def test_no_outcome_is_of_phrases_that_were_not_drawn_or_left_out(browser, page):
    open_page(browser, page)
    choose(browser, "outcome", "none")
    values = values_of(browser, "outcomes")
    assert {json.dumps(own) for own in values} == {"null", "[null, null]"}
    choose(browser, "outcome", "")
    assert len(values_of(browser, "outcomes")) == 60


def test_the_filter_goes_by_the_model_that_is_shown(browser, page):
    open_page(browser, page)
    browser.execute_script(
        """for (const item of Gallery.index.items)
             if (item.outcomes) item.outcomes = ['grounded', 'missed']"""
    )
    found = {}
    for model in ("", "first", "second"):
        choose(browser, "model", model)
        choose(browser, "outcome", "missed")
        found[model] = len(values_of(browser, "outcomes"))
        choose(browser, "outcome", "")
    assert found == {"": 32, "first": 0, "second": 32}
    choose(browser, "model", "second")
    choose(browser, "outcome", "none")
    assert len(values_of(browser, "outcomes")) == 28


def test_an_item_shows_the_numbers_of_the_tables(browser, page):
    open_item(browser, page, MEASURED)
    effects, maps, srg = browser.execute_async_script(
        """const done = arguments[0], item = Gallery.openedLast();
           Gallery.loadItem(item).then(({effects, pairs}) => done(
             [effects.second.values.unimodal, pairs[1].evidence.faithfulness.unimodal,
              pairs[1].evidence.srg.unimodal]))"""
    )
    minus = str.maketrans("-", "−")
    rows = rows_of(browser, 0)
    assert rows[0] == ["", "necessity", "p of necessity", "sufficiency"]
    assert rows[5] == ["second · unimodal", *(f"{value:.3f}" for value in effects)]
    rows = rows_of(browser, 1)
    assert rows[0] == ["", "outcome", "faithfulness", "SRG"]
    assert rows[5][0] == "second · unimodal"
    assert rows[5][2:] == [f"{maps:.3f}".translate(minus), f"{srg:.1f}".translate(minus)]
    assert rows[5][1] in ("grounded", "missed", "flattered", "neither")


def test_the_curves_are_named_and_described(browser, page):
    open_item(browser, page, MEASURED)
    wait_until(browser, "return document.querySelectorAll('#detail .curves svg').length === 4")
    named = browser.execute_script(
        """return [...document.querySelectorAll('#detail .curves svg')].map(svg =>
             ['aria-labelledby', 'aria-describedby'].map(name =>
               document.getElementById(svg.getAttribute(name)).textContent))"""
    )
    titles, descriptions = zip(*named, strict=True)
    assert len(set(titles)) == 4
    assert titles[0].startswith("Most relevant patches removed first (MoRF): first")
    assert titles[3].startswith("Least relevant patches removed first (LeRF): second")
    for text in descriptions:
        assert "matched 25.0 with nothing removed" in text
        assert "unimodal 25.0 with nothing removed" in text


def test_the_curves_go_through_what_was_measured(browser, page):
    open_item(browser, page, MEASURED)
    wait_until(browser, "return document.querySelectorAll('#detail .curves svg').length === 4")
    points, values = browser.execute_async_script(
        """const done = arguments[0], line = document.querySelectorAll('#detail polyline')[1];
           Gallery.loadItem(Gallery.openedLast()).then(({pairs}) => done([
             [line.getAttribute('stroke') === Gallery.index.colors.matched
               && line.getAttribute('points')], pairs[0].evidence.curves.matched[0]]))"""
    )
    places = [tuple(map(float, point.split(","))) for point in points[0].split(" ")]
    xs, ys = zip(*places, strict=True)
    assert len(places) == len(values) == 10
    assert xs == tuple(sorted(xs))
    lower, upper = values.index(min(values)), values.index(max(values))
    scale = (ys[lower] - ys[upper]) / (values[upper] - values[lower])
    assert scale > 0  # more is higher
    for y, value in zip(ys, values, strict=True):
        assert y == pytest.approx(ys[upper] + scale * (values[upper] - value), abs=0.15)


def test_what_was_not_drawn_or_not_measured_is_not_there(browser, page):
    open_item(browser, page, UNDRAWN)
    assert not browser.find_elements("css selector", "#detail .evidence, #detail .curves")
    open_item(browser, page, "#item=text_to_image-2-0")
    assert not browser.find_elements("css selector", "#detail .curves svg")
    assert rows_of(browser, 1)[1][3] == "–"


def test_a_phrase_without_an_outcome_says_why(browser, page):
    open_item(browser, page, "#item=image_to_text-8-0")
    text = browser.find_element("css selector", "#detail .evidence").text
    assert "No outcome: there are too few other places of its size." in text
    assert rows_of(browser, 1)[1][1] == "–"


def test_without_evidence_the_page_says_nothing_of_it(browser, plain):
    open_page(browser, plain)
    settled(browser)
    assert not browser.find_element("id", "outcome").is_displayed()
    assert not browser.execute_script("return document.querySelectorAll('#outcome option').length")
    press(browser, "?")
    assert "Necessity" not in browser.find_element("id", "help-dialog").text
    open_item(browser, plain, UNDRAWN)
    assert not browser.find_elements("css selector", "#detail .evidence, #detail .curves")
    assert browser.get_log("browser") == []
    text = (plain.parent / "files/index.js").read_text()
    assert '"evidence"' not in text
    assert '"outcomes"' not in text


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("fragment", [MEASURED, "#item=image_to_text-4-0"])
def test_nothing_is_wider_than_the_screen(browser, page, width, fragment):
    resize(browser, width, 844)
    open_item(browser, page, fragment)
    assert overflow(browser) <= 0
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["grid", MEASURED, "#item=image_to_text-8-0", "help"])
def test_axe_finds_nothing_serious(browser, page, axe, theme, view):
    set_theme(browser, theme)
    if view.startswith("#"):
        open_item(browser, page, view)
    else:
        open_page(browser, page)
        settled(browser)
    if view == "help":
        press(browser, "?")
    n_passes, serious = run_axe(browser, axe)
    assert n_passes > 10
    assert serious == []
