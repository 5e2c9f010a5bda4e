"""The site in Chinese says all that the English one does: `make translations` shows what is new."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CHINESE = ROOT / "docs" / "locale" / "zh_CN" / "LC_MESSAGES"

LITERALS = re.compile("``(.+?)``")
LINKS = re.compile(r"<([^<>`]+)>`_")
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
#: What a user reads on the screen, in the error guide: in English alone it would not be found.
SENTENCE = re.compile(r"``[^`]*\w \w.*``( \|again\|)?")
PLACEHOLDERS = re.compile(r"(?<!<)<[a-z_]+>")
HAN = "[\u4e00-\u9fff]"
#: What `make bench` writes anew each time, figures and all.
MEASURED = re.compile(r"Measured .*|[+-]?[\d.,]+ ms")


def says_something(text: str) -> bool:
    """Tell whether there are words in it that a Chinese reader would want in Chinese."""
    prose = LINKS.sub("", LITERALS.sub("", text))
    if SENTENCE.fullmatch(text) and (text.endswith((".``", "|again|")) or text.count(" ") > 4):
        return True
    return bool(re.search("[A-Za-z]{2}", prose)) and not MEASURED.fullmatch(text)


def faults(source: str, translation: str) -> Iterator[str]:
    """Tell what is wrong with a translation."""
    if not translation:
        if says_something(source):
            yield "it is missing"
        return
    if not re.search("[\u3001-\u9fff\uff01-\uff5e]", translation):
        # Names, most often: nginx, AccessKey.
        if len(source.split()) > 3:
            yield "it is not Chinese"
        return
    for what, pattern in (("literals", LITERALS), ("links", LINKS)):
        if set(pattern.findall(source)) != set(pattern.findall(translation)):
            yield f"its {what} are others"
    # Sphinx translates no substitution, so what stands for this one is written out.
    if ("|again|" in source) != bool(re.search(r"\*\*.会重试.\*\*", translation)):
        yield "|again| is lost, or too much"
    if not set(FIGURES.findall(source)) <= set(FIGURES.findall(translation)):
        yield "a figure is missing"
    if not set(PLACEHOLDERS.findall(translation)) <= set(PLACEHOLDERS.findall(source)):
        yield "it has a placeholder of its own"
    if re.search(f"{HAN} +{HAN}", translation):
        yield "a blank stands between two characters"
    if re.search(f"{HAN}[,;:?!]|[,;:?!]{HAN}", LITERALS.sub("``", translation)):
        yield "its punctuation is half-width"
    if "您" in translation:
        yield "it addresses the reader by a pronoun that the site does not use"


def catalog(file: Path) -> Catalog:
    with file.open("rb") as opened:
        return read_po(opened, locale="zh_CN")


def messages(file: Path) -> set[str]:
    """What a file asks to be translated."""
    texts = {str(message.id) for message in catalog(file) if message.id}
    return {text for text in texts if not MEASURED.fullmatch(text)}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences of the English pages, as they are now."""
    folder = tmp_path_factory.mktemp("gettext")
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-b", "gettext"]
    subprocess.run([*sphinx, "-d", folder / "doctrees", ROOT / "docs", folder], check=True)
    return folder


def test_every_sentence_is_translated_and_keeps_its_code_its_links_and_its_figures() -> None:
    found = [
        (file.name, message.id, fault)
        for file in sorted(CHINESE.rglob("*.po"))
        for message in catalog(file)
        if message.id
        for fault in faults(str(message.id), str(message.string))
    ]
    assert not found


def test_no_translation_is_a_guess_or_a_left_over() -> None:
    for file in CHINESE.rglob("*.po"):
        assert not [message.id for message in catalog(file) if message.fuzzy], file.name
        assert not catalog(file).obsolete, file.name


def test_a_sentence_that_changed_is_missed(templates: Path) -> None:
    pages = {page.relative_to(templates).with_suffix(".po") for page in templates.rglob("*.pot")}
    assert pages == {file.relative_to(CHINESE) for file in CHINESE.rglob("*.po")}
    for page in sorted(pages):
        english, chinese = messages(templates / page.with_suffix(".pot")), messages(CHINESE / page)
        assert english - chinese == set(), f"{page}: run make translations, and translate"
        assert chinese - english == set(), f"{page}: run make translations"


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("It is gone.", ""),
        ("``… the zone <zone> is locked.``", ""),
        ("The record is gone for good.", "The record is gone for good."),
        ("Run ``certbot renew``.", "执行 ``certbot``。"),
        ("See `delegation <delegation.rst>`_.", "见 `委派 <security.rst>`_。"),
        ("It fails |again|", "失败"),
        ("After 30 seconds.", "片刻之后。"),
        ("``<zone>`` is gone.", "``<zone>`` 没有了 <name>。"),
        ("It is gone.", "没 有了。"),
        ("It is gone.", "没有了, 真的。"),
        ("It is gone for you.", "您没有了。"),
    ],
)
def test_a_faulty_translation_is_found(source: str, translation: str) -> None:
    assert list(faults(source, translation))


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("3.01", ""),
        ("``renew``, ``certonly``", ""),
        ("nginx", "nginx"),
        ("After 30 seconds, ``<zone>`` is gone.", "30 秒之后 ``<zone>`` 没有了。"),
    ],
)
def test_a_sound_translation_is_not_blamed(source: str, translation: str) -> None:
    assert not list(faults(source, translation))
