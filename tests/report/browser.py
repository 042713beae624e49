"""A headless Chromium to look at pages with, and what it complained about or asked the network for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A driver of a browser of its own; skips the test where there is none."""
    binary, service = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (binary and service):
        pytest.skip("needs a browser: Debian's packages chromium and chromium-driver (browser)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(service)) as driver:
        driver.set_script_timeout(20)
        yield driver


def open_page(driver: Any, page: Path, width: int = 1280) -> None:
    """The page in a window of this width, from its start, with no record of pages before."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get("about:blank")
    for kind in ("browser", "performance"):
        driver.get_log(kind)
    driver.get(page.as_uri())


def complaints(driver: Any) -> list[str]:
    """What went to the console since the last call: errors, and refusals of the content security policy."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requests(driver: Any) -> list[str]:
    """The addresses asked for since the page was opened, but for what it holds itself."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith("data:")]


def scroll_to_gallery(driver: Any) -> None:
    """Show the gallery, and wait for its first card."""
    driver.execute_script("document.getElementById('gallery').scrollIntoView()")
    wait(driver, "return !document.querySelector('.card') || document.querySelector('.card .question')")


def wait(driver: Any, script: str) -> None:
    """Until the script returns something."""
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(driver, 10, 0.02).until(lambda each: each.execute_script(script))


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)
