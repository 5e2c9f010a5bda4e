"""The site as it is read: in a real browser, on a phone and on a desk, by day and by night."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.packaging.test_site import ROOT, SITE, make

webdriver = pytest.importorskip("selenium.webdriver")
if not shutil.which("chromedriver"):
    pytest.skip("there is no chromedriver here", allow_module_level=True)

AXE = pytest.importorskip("axe_core_python.base").AXE_FILE_PATH
SCREENSHOTS = ROOT / "build" / "screenshots"
PAGES = ["index", "first-certificate", "credentials", "delegation", "errors", "speed"]
#: Without the long ones, which have nothing that these lack.
SHORT = PAGES[:4]
PHONE, DESK = (390, 800), (1400, 900)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    make()
    # Who is not root has a network namespace to itself, in which that is down at first.
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False, stderr=subprocess.DEVNULL)
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


def look(browser: Any, page: str, size: tuple[int, int] = DESK, scheme: str = "light") -> None:
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(f"file://{SITE}/{page}")


def results(browser: Any, language: str, words: str) -> list[str]:
    look(browser, f"{language}/search.html?q={quote(words)}")
    found = "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    waited = f"const done = arguments[0]; setTimeout(() => done((() => {{{found}}})()), 1500)"
    return [Path(each).name for each in browser.execute_async_script(waited)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_is_wider_than_the_screen(
    browser: Any, language: str, size: tuple[int, int], scheme: str
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        look(browser, f"{language}/{page}.html", size, scheme)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        browser.save_screenshot(str(SCREENSHOTS / f"{language}-{page}-{size[0]}-{scheme}.png"))
        assert width <= size[0], page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Forbidden.RAM"),
        ("zh", "Forbidden.RAM"),
        ("zh", "权限"),
        ("en", "the zone shop.test is locked (Forbidden.DomainLocked); unlock it in the console."),
        ("zh", "the zone shop.test is locked (Forbidden.DomainLocked); unlock it in the console."),
        ("zh", "域名 shop.test 已被锁定"),
    ],
)
def test_the_search_finds_the_guide_to_what_was_pasted(
    browser: Any, language: str, words: str
) -> None:
    assert any(found.startswith("errors.html") for found in results(browser, language, words))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_search_leads_to_the_place_of_a_code(browser: Any, language: str) -> None:
    assert "errors.html#forbidden-ram" in results(browser, language, "Forbidden.RAM")


@pytest.mark.parametrize("place", ["errors.html#forbidden-ram", "commands/check.html"])
def test_the_switch_of_language_stays_at_the_place(browser: Any, place: str) -> None:
    browser.get(f"file://{SITE}/en/{place}")
    for language, other in (("zh-CN", "zh"), ("en", "en")):
        browser.find_element("css selector", f".languages a[lang='{language}']").click()
        assert browser.current_url == f"file://{SITE}/{other}/{place}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_keeps_anybody_from_reading(browser: Any, language: str, scheme: str) -> None:
    script = Path(AXE).read_text(encoding="utf-8")
    run = "const done = arguments[0]; axe.run().then(found => done(found.violations))"
    found = []
    for page in SHORT:
        look(browser, f"{language}/{page}.html", DESK, scheme)
        browser.execute_script(script)
        found += [
            (page, each["id"], each["nodes"][0]["html"][:200])
            for each in browser.execute_async_script(run)
            if each["impact"] in ("serious", "critical")
        ]
    assert not found


def test_no_request_leaves_the_machine_and_no_script_fails(browser: Any) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    for page in PAGES:
        look(browser, f"zh/{page}.html")
    results(browser, "zh", "权限")
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        each["params"]["request"]["url"]
        for each in sent
        if each["method"] == "Network.requestWillBeSent"
    ]
    assert addresses
    assert [each for each in addresses if not each.startswith(("file:", "data:"))] == []
    # The search may not read other pages' files, for the excerpts; a server lets it.
    failed = [entry["message"] for entry in browser.get_log("browser")]
    assert [each for each in failed if "Uncaught" in each and "fetch" not in each] == []
