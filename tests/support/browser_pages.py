"""Opening, operating and reading the gallery's page in a browser."""

import json
from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

_KEYS = {
    "ArrowDown": Keys.ARROW_DOWN,
    "ArrowRight": Keys.ARROW_RIGHT,
    "ArrowUp": Keys.ARROW_UP,
    "Enter": Keys.ENTER,
    "Escape": Keys.ESCAPE,
}

_SETTLED = """
    return [...document.querySelectorAll('canvas')].every(canvas => {
        const {top, bottom} = canvas.getBoundingClientRect();
        const dialog = canvas.closest('dialog'), seen = {top: 0, bottom: innerHeight};
        const hidden = document.querySelector('dialog[open]') && !dialog;
        // A dialog scrolls, and ends before the screen does.
        const {top: first, bottom: last} = dialog ? dialog.getBoundingClientRect() : seen;
        return hidden || top >= last || bottom <= first || canvas.classList.contains('drawn');
    }) && [...document.querySelectorAll('.words')].every(one => one.querySelector('.token'))
       && document.getAnimations().every(one => one.playState === 'finished')"""


def open_page(browser, page: Path, fragment: str = "") -> None:
    """Open a page from disk, anew even where it is open already."""
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)


def settled(browser) -> None:
    """Wait until all on the screen is drawn."""
    wait_until(browser, _SETTLED)


def wait_until(browser, script: str, *arguments) -> None:
    """Wait until a script returns something true."""
    waiting = WebDriverWait(browser, 20, poll_frequency=0.05)
    waiting.until(lambda driver: driver.execute_script(script, *arguments), f"never true: {script}")


def choose(browser, control: str, value: str) -> None:
    """Choose an option of a control."""
    Select(browser.find_element("id", control)).select_by_value(value)


def press(browser, *keys: str) -> None:
    """Press keys one after another, wherever the focus is."""
    for key in keys:
        ActionChains(browser).send_keys(_KEYS.get(key, key)).perform()


def values_of(browser, attribute: str) -> list:
    """What the listed items have of an attribute, after checking that the cards show them."""
    names = browser.execute_script("return Gallery.listed().map(item => item.name)")
    shown = shown_titles(browser)
    assert shown == names[: len(shown)]
    assert shown or not names
    return browser.execute_script(
        "return Gallery.listed().map(item => item[arguments[0]])", attribute
    )


def shown_titles(browser) -> list[str]:
    """Names of the items that have a card."""
    return browser.execute_script(
        "return [...document.querySelectorAll('article h2 a')].map(one => one.hash.slice(6))"
    )


def active_title(browser) -> str:
    """Name of the item whose card has the focus."""
    return browser.execute_script("return document.activeElement.hash?.slice(6)")


def resize(browser, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_theme(browser, theme: str) -> None:
    """What the system prefers."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def requested(browser) -> list[str]:
    """Addresses that were asked for since the log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def overflow(browser) -> int:
    """Pixels by which the page, or the open item, is wider than its place."""
    return browser.execute_script(
        """const detail = document.getElementById('detail'), root = document.documentElement;
           return Math.max(root.scrollWidth - innerWidth,
                           detail.open ? detail.scrollWidth - detail.clientWidth : 0)"""
    )


def run_axe(browser, axe: str) -> tuple[int, list[str]]:
    """Number of axe's rules that the page passes, and what it finds serious or critical."""
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    serious = [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    return len(found["passes"]), serious
