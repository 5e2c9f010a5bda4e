"""The site that `make docs` has built: both languages, on every page, without a server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "docs"


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    make()


def make() -> str:
    """Run `make docs`, and give what it says."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    command = ["make", "-s", "docs"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def pages(language: str) -> dict[str, str]:
    folder = SITE / language
    return {
        str(page.relative_to(folder)): page.read_text(encoding="utf-8")
        for page in folder.rglob("*.html")
    }


def anchors(page: str) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', page))


def test_an_empty_make_docs_does_nothing() -> None:
    assert make() == ""


def test_both_languages_have_the_same_pages_and_each_leads_to_its_other() -> None:
    english, chinese = pages("en"), pages("zh")
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        depth = "../" * (name.count("/") + 1)
        assert f'href="{depth}zh/{name}"' in text, name
        assert f'href="{depth}en/{name}"' in chinese[name], name
        assert '<html class="no-js" lang="en"' in text
        assert '<html class="no-js" lang="zh-CN"' in chinese[name]


def test_every_code_and_sentence_has_one_anchor_in_both_languages() -> None:
    guide = (ROOT / "docs" / "errors.rst").read_text(encoding="utf-8")
    expected = re.findall(r"^\.\. _([a-z0-9-]+):$", guide, re.MULTILINE)
    assert "forbidden-ram" in expected
    assert len(expected) == len(set(expected))
    for language in ("en", "zh"):
        assert set(expected) <= anchors(pages(language)["errors.html"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_shows_its_markup(language: str) -> None:
    for name, text in pages(language).items():
        article = text.partition('<article role="main"')[2].partition("</article>")[0]
        prose = re.sub("<(pre|code)[ >].*?</\\1>", "", article, flags=re.DOTALL)
        shown = re.findall(r".*(?:`|\*\*|\|again\||\*[\u4e00-\u9fff]).*", prose)
        assert not shown, name


def test_no_page_asks_another_host_for_anything() -> None:
    fetched = r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+)"'
    for language in ("en", "zh"):
        for name, text in pages(language).items():
            for source in re.findall(fetched, text):
                assert not re.match("(https?:)?//", "".join(source)), (name, source)


@pytest.mark.parametrize(
    "words", [["权限"], ["forbidden", "ram"], ["限流"], ["实名", "名认", "认证"]]
)
def test_the_chinese_search_finds_an_entry_of_the_error_guide(words: list[str]) -> None:
    script = (SITE / "zh" / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(script[script.index("{") : script.rindex("}") + 1])
    guide = index["docnames"].index("errors")
    for word in words:
        found = index["terms"][word]
        assert guide in (found if isinstance(found, list) else [found]), word
