"""A headless Chromium that records what a page logs and requests."""

import os
import shutil
from pathlib import Path

import pytest
from browser_pages import resize, set_theme
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def lacking(reason: str):
    """Skip for want of a program, but never in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        lacking("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as driver:
        driver.set_script_timeout(60)
        yield driver


@pytest.fixture
def browser(chromium):
    """The browser with nothing left of the test before."""
    resize(chromium, 1280, 900)
    set_theme(chromium, "light")
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get_log("performance")
    return chromium


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if not AXE.exists():
        lacking("axe-core is not installed: npm ci --prefix tests/browser")
    return AXE.read_text(encoding="utf-8")
