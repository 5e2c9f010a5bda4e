"""The site as it is read: in a real browser, on a phone and on a desk, by day and by night."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from certbot import errors as certbot_errors

from certbot_dns_aliyun.credentials import settings
from certbot_dns_aliyun.errors import AlidnsError, Code, NotCalled, sentence
from certbot_dns_aliyun.unanswered import Lost, NotSent
from tests.packaging.test_site import ROOT, SITE, make, pages
from tests.packaging.test_translation import CHINESE, catalog

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
    """What the page with the results shows, in its order."""
    look(browser, f"{language}/search.html?q={quote(words)}")
    shown = "[...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    finished = "document.querySelector('.search-summary')?.innerText"
    poll = f"const look = () => {finished} ? done({shown}) : setTimeout(look, 20); look()"
    found = browser.execute_async_script(f"const done = arguments[0]; {poll}")
    return [Path(each).name for each in found]


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


def refused(code: Code, **facts: Any) -> str:
    """What a user reads of a call that did not succeed."""
    more = {"host": "alidns.aliyuncs.com", "zone": "shop.test", "origin": "/etc/dns.ini", **facts}
    error = AlidnsError(code, "AddDomainRecord", status=400, request_id="536E9CAD", **more)
    return sentence("The TXT record _acme-challenge.www.shop.test could not be added", error)


def misread(folder: Path, text: str) -> str:
    """What a user reads of a credentials file."""
    file = folder / "aliyun.ini"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(certbot_errors.PluginError) as caught:
        settings.load(str(file))
    return str(caught.value)


KEY = "dns_aliyun_access_key = LTAI5tExample\ndns_aliyun_access_key_secret = example\n"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pasted_sentence_leads_to_its_entry(browser: Any, tmp_path: Path, language: str) -> None:
    wrapped = itertools.cycle([str, textwrap.fill, lambda text: textwrap.fill(text, 40)])
    for entry, text in [
        ("forbidden-ram", refused("Forbidden.RAM")),
        ("forbidden-domainlocked", refused("Forbidden.DomainLocked")),
        ("invaliddomainname-noexist", refused("InvalidDomainName.NoExist")),
        ("throttling-user", refused("Throttling.User")),
        ("invalidtimestamp-expired", refused("InvalidTimeStamp.Expired", clock_offset=4000.0)),
        ("no-reply", refused(Lost.NO_REPLY)),
        ("certificate-expired", refused(NotSent.CERTIFICATE_EXPIRED)),
        ("proxy-refused", refused(NotSent.PROXY_REFUSED, proxy="https_proxy")),
        ("no-account", refused(NotCalled.NO_ACCOUNT)),
        ("are-missing-in", misread(tmp_path, "# nothing\n")),
        ("is-empty-in", misread(tmp_path, "dns_aliyun_access_key =\n")),
        ("has-two-sections", misread(tmp_path, f"[shop.test]\n{KEY}[Shop.test.]\n{KEY}")),
        ("is-not-valid-json", misread(tmp_path, f"{KEY}dns_aliyun_role_policy = {{\n")),
        ("must-be-a-host-name", misread(tmp_path, f"{KEY}dns_aliyun_endpoint = a/b\n")),
    ]:
        pasted = next(wrapped)(text)
        assert results(browser, language, pasted)[:1] == [f"errors.html#{entry}"], pasted


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("forbidden-domainlocked", "域名 shop.test 已被锁定；请在云解析 DNS 控制台里解锁。"),
        ("forbidden-recordlocked", "域名 shop.test 已被锁定（Forbidden.RecordLocked）"),
        (
            "invalidaccesskeyid-inactive",
            "来自 /etc/dns.ini 的 AccessKey\n已被禁用；请在 RAM\n控制台里启用。",
        ),
        ("invalidtimestamp-expired", "本机时间相差 4000 秒；请校准时间，然后再次运行 Certbot。"),
        ("no-account", "凭证文件里没有用于域名 shop.test 的凭证；请增加一个小节 [shop.test]"),
        ("not-on-ecs", "无法访问元数据服务：本机不是 ECS 实例，或者它的网络不通"),
    ],
)
def test_a_pasted_sentence_in_chinese_leads_to_its_entry(
    browser: Any, entry: str, words: str
) -> None:
    assert results(browser, "zh", words)[:1] == [f"errors.html#{entry}"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_leads_to_its_entry(browser: Any, language: str) -> None:
    look(browser, f"{language}/search.html")
    find = "return Search._performSearch(...Search._parseQuery(arguments[0])).pop()[2]"
    chinese = {str(each.id): str(each.string) for each in catalog(CHINESE / "errors.po")}
    guide = (ROOT / "docs" / "errors.rst").read_text(encoding="utf-8")
    sections = re.split(r"\n\n((?:\.\. _[\w-]+:\n)+)\n", guide)
    checked = 0
    for anchors, text in zip(sections[1::2], sections[2::2]):
        for paragraph in text.partition("\n\n   ")[0].split("\n\n"):
            said = " ".join(paragraph.split())
            texts = re.findall("``(.+?)``", said)
            if language == "zh" and " " in texts[0]:
                texts.append(chinese[said].replace(f"``{texts[0]}``", "").strip())
            for each in texts:
                pasted = textwrap.fill(re.sub("<[^<>]+>", "shop.test", each), 79)
                found = browser.execute_script(find, pasted).strip("#")
                assert f".. _{found}:" in anchors, pasted
                checked += 1
    assert checked > 250


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_search_leads_to_the_place_of_a_code(browser: Any, language: str) -> None:
    assert "errors.html#forbidden-ram" in results(browser, language, "Forbidden.RAM")


@pytest.mark.parametrize("place", ["errors.html#forbidden-ram", "commands/check.html"])
def test_the_switch_of_language_stays_at_the_place(browser: Any, place: str) -> None:
    browser.get(f"file://{SITE}/en/{place}")
    for language, other in (("zh-CN", "zh"), ("en", "en")):
        browser.find_element("css selector", f".languages a[lang='{language}']").click()
        assert browser.current_url == f"file://{SITE}/{other}/{place}"


def barriers(browser: Any, page: str, scheme: str) -> list[tuple[str, str, str]]:
    """What keeps somebody from reading a page."""
    look(browser, page, DESK, scheme)
    browser.execute_script(Path(AXE).read_text(encoding="utf-8"))
    run = "const done = arguments[0]; axe.run().then(found => done(found.violations))"
    return [
        (page, each["id"], each["nodes"][0]["html"][:200])
        for each in browser.execute_async_script(run)
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_nothing_keeps_anybody_from_reading(browser: Any, language: str, scheme: str) -> None:
    assert not [
        each for page in SHORT for each in barriers(browser, f"{language}/{page}.html", scheme)
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_keeps_anybody_from_reading_any_page(
    browser: Any, language: str, scheme: str
) -> None:
    browser.set_script_timeout(300)
    assert not [
        each for page in pages(language) for each in barriers(browser, f"{language}/{page}", scheme)
    ]


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
