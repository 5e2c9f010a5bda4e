"""The documentation says what the code does: options, keys, sentences, policies, links."""

from __future__ import annotations

import ast
import html
import importlib.util
import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

import certbot_dns_aliyun
from certbot_dns_aliyun import https, retrying
from certbot_dns_aliyun.alidns import pace, requests
from certbot_dns_aliyun.commands.arguments import parser
from certbot_dns_aliyun.credentials import kinds, settings
from certbot_dns_aliyun.dns_aliyun import Authenticator
from certbot_dns_aliyun.guide import entry_of

ROOT = Path(__file__).resolve().parents[2]
READMES = ["README.rst", "README.zh-CN.rst"]
IN_DOCS = [str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.rst")]
PAGES = [*READMES, "CHANGELOG.rst", *IN_DOCS]
TRANSLATIONS = [str(file.relative_to(ROOT)) for file in ROOT.glob("docs/locale/**/*.po")]
PACKAGE = Path(certbot_dns_aliyun.__file__).parent
#: Codes that the plugin hands on as STS gave them.
OF_STS = [
    "EntityNotExist.Role",
    "InvalidParameter.PolicyGrammar",
    "InvalidParameter.DurationSeconds",
]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language, without their indentation."""
    directive = rf"^( *)\.\. code-block:: {language}\n\n((?:\1 +.*\n|\n)+)"
    found = re.findall(directive, text_of(page), re.MULTILINE)
    return [textwrap.dedent(block).strip() + "\n" for _, block in found]


def policies(page: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in blocks(page, "json")]


def options() -> dict[str, object]:
    """The options, each with its default."""
    found: dict[str, object] = {}
    Authenticator.add_parser_arguments(
        lambda name, **more: found.update({f"--dns-aliyun-{name}": more.get("default")})
    )
    return found


def script(name: str) -> Any:
    """A script of docs/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_guide_to_errors_is_what_its_script_writes() -> None:
    guide = script("make_errors").guide()
    assert guide == text_of("docs/errors.rst"), "run: python docs/make_errors.py"
    index = script("make_errors").index()
    assert index == text_of("certbot_dns_aliyun/guide.json"), "run: python docs/make_errors.py"


def test_each_sentence_is_led_to_its_entry() -> None:
    """With names filled in, and wrapped as Certbot does it."""
    page = text_of("docs/errors.rst")
    sections = re.split(r"\n\n((?:\.\. _[\w-]+:\n)+)\n", page)
    checked = 0
    for anchors, text in zip(sections[1::2], sections[2::2]):
        said = text.partition("\n\n   ")[0]
        sentences = re.findall(r"``(.+?)``", said, re.DOTALL)
        codes = [code.replace("…", "Any") for code in sentences if " " not in code]
        for sentence in [f"Why ({code}, request id 1)" for code in codes] or sentences:
            filled = re.sub(r"<[^<>]+>", "x.example", sentence)
            entry = entry_of("\n".join(textwrap.wrap(filled, 79)))
            assert f".. _{entry}:" in anchors, f"{filled}: {entry}"
            checked += 1
    assert checked > 150


def test_the_reference_is_what_its_script_writes() -> None:
    page = script("make_reference").page()
    assert page == text_of("docs/reference.rst"), "run: python docs/make_reference.py"


@pytest.mark.parametrize("page", [*READMES, "the user guide"])
def test_every_option_is_explained_with_its_default(page: str) -> None:
    text = certbot_dns_aliyun.__doc__ or "" if page == "the user guide" else text_of(page)
    for option, default in options().items():
        explanation = text.partition(f"``{option}")[2].partition("``--dns-aliyun-")[0]
        assert explanation, option
        assert default is None or str(default) in explanation, (option, default)
    assert set(re.findall(r"--dns-aliyun-[a-z-]+", text)) <= set(options())


@pytest.mark.parametrize("page", READMES)
def test_the_readmes_explain_every_key_of_a_plain_access_key(page: str) -> None:
    (must, may) = kinds.KINDS["an access key"]
    for name in (*must, *may, *kinds.ALIASES, "endpoint"):
        assert f"``{kinds.PREFIX}{name}``" in text_of(page)
    assert settings.DEFAULT_ENDPOINT in text_of(page)


def test_the_page_on_credentials_names_every_setting() -> None:
    for name in kinds.SETTINGS:
        assert f"``{name}``" in text_of("docs/credentials.rst"), name


@pytest.mark.parametrize("page", [*PAGES, *TRANSLATIONS])
def test_a_page_names_no_option_key_or_code_that_is_not_in_the_code(page: str) -> None:
    text = text_of(page)
    assert set(re.findall(r"--dns-aliyun-[a-z-]+", text)) <= set(options())
    # The last one is Certbot's own, in its renewal files.
    keys = {*kinds.SETTINGS, *kinds.ALIASES, "endpoint", settings.TARGETS, "credentials"}
    assert set(re.findall(rf"\b{kinds.PREFIX}(\w*[a-z])\b", text)) <= keys
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    for code in re.findall(r"\b(?:[A-Z][a-z]+)+\.[A-Z][A-Za-z]+\b", text):
        assert code in (*OF_STS, *script("make_errors").KNOWN_BY_FORM) or f'"{code}"' in source


def test_the_page_on_a_command_has_its_options_and_no_others() -> None:
    (commands,) = (each for each in parser()._actions if isinstance(each.choices, dict))
    for command, itself in commands.choices.items():
        text = text_of(f"docs/commands/{command}.rst")
        written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?![\w-])", text))
        own = [set(each.option_strings) for each in itself._actions if each.dest != "help"]
        assert [names for names in own if not names & written] == [], command
        long = {option for option in written if re.fullmatch("--.*[a-z]", option)}
        assert long <= {"--allow-subset-of-names"}.union(*own), command


def test_both_readmes_hold_the_same_commands_files_and_policies() -> None:
    for language in ("sh", "ini", "json"):
        first, second = (blocks(page, language) for page in READMES)
        assert first, language
        assert first == second


def test_the_readme_in_chinese_has_the_headings_the_words_of_code_and_the_figures() -> None:
    english, chinese = (text_of(page) for page in READMES)
    headings = r"^(?=\S).+\n([=-])\1+$"
    assert len(re.findall(headings, english, re.MULTILINE)) > 10
    assert re.findall(headings, english, re.MULTILINE) == re.findall(
        headings, chinese, re.MULTILINE
    )
    words = [
        {" ".join(literal.split()) for literal in re.findall("``(.+?)``", text, re.DOTALL)}
        for text in (english, chinese)
    ]
    assert words[0] - words[1] == set()
    figures = [
        text.partition(".. begin summary")[2].partition(".. end summary")[0]
        for text in (english, chinese)
    ]
    assert figures[0].strip()
    english, chinese = (re.findall(r"(?<= )\d+\.\d+\b(?!\.)", text) for text in figures)
    assert english
    assert english == chinese
    assert not re.search("name|wildcard|times|Order", figures[1])


def test_the_readme_in_chinese_breaks_no_line_between_two_characters() -> None:
    assert not re.findall("[\u4e00-\u9fff]\n *[\u4e00-\u9fff]", text_of("README.zh-CN.rst"))


def test_the_readme_in_chinese_links_to_pages_that_there_are() -> None:
    site = "https://certbot-dns-aliyun.readthedocs.io/zh-cn/latest/"
    links = re.findall(rf"<{site}([a-z/-]+)\.html>", text_of("README.zh-CN.rst"))
    assert len(links) > 10
    for link in links:
        assert (ROOT / "docs" / f"{link}.rst").is_file(), link


@pytest.mark.parametrize("page", READMES)
def test_the_ini_file_to_paste_is_a_valid_one(page: str, tmp_path: Path) -> None:
    file = tmp_path / "aliyun.ini"
    file.write_text(blocks(page, "ini")[0], encoding="utf-8")
    (account,) = settings.load(str(file)).accounts
    assert account.source.get().key_id == "LTAI5tExample"


def test_the_sections_on_the_page_on_credentials_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "aliyun.ini"
    file.write_text(blocks("docs/credentials.rst", "ini")[-1], encoding="utf-8")
    assert [account.zone for account in settings.load(str(file)).accounts] == ["", "example.org"]


@pytest.mark.parametrize("page", ["README.rst", "docs/first-certificate.rst"])
def test_the_policy_to_begin_with_is_that_for_one_zone(page: str) -> None:
    assert policies(page) == policies("docs/ram-policy.rst")[:1]


def test_the_page_for_the_first_certificate_says_what_the_readme_does() -> None:
    page = "docs/first-certificate.rst"
    assert blocks(page, "ini") == blocks("README.rst", "ini")
    assert {*blocks("README.rst", "sh")[:2]} <= {*blocks(page, "sh")}


def test_the_lines_that_make_the_file_for_the_key_make_it_on_a_fresh_machine(
    tmp_path: Path,
) -> None:
    lines = blocks("README.rst", "sh")[0].replace("/etc/", f"{tmp_path}/etc/")
    for _ in range(2):  # pasted once more, it takes no key away
        subprocess.run(["sh", "-euc", f"umask 022\n{lines}"], check=True)
        file = tmp_path / "etc/letsencrypt/aliyun.ini"
        assert file.stat().st_mode & 0o777 == 0o600
        with file.open("a", encoding="utf-8") as opened:
            opened.write("key")
    assert file.read_text(encoding="utf-8") == "keykey"


def test_the_policies_allow_the_calls_that_the_plugin_makes_and_no_others() -> None:
    calls = [
        requests.add_record("example.com", "_acme-challenge", "value"),
        requests.delete_record("1"),
        requests.list_records("example.com", "_acme-challenge", "value", 1),
    ]
    add, delete, find = (f"alidns:{call.get_action_name()}" for call in calls)
    one_zone, several_zones, without_list, *_of_roles = policies("docs/ram-policy.rst")
    for policy, actions in (
        (one_zone, {add, delete, find}),
        (several_zones, {add, delete, find}),
        (without_list, {add, delete}),
    ):
        (statement,) = policy["Statement"]
        assert set(statement["Action"]) == actions
        assert "*" not in str(statement["Resource"]).replace("acs:alidns:*:*:domain/", "")


def test_the_numbers_on_the_page_on_how_it_works_are_those_of_the_code() -> None:
    page = " ".join(text_of("docs/how-it-works.rst").split())
    assert f"at most {https.CONNECTIONS} connections" in page
    assert pace.CALLS_PER_SECOND < 60
    assert "the documented 60 a second" in page
    assert f"{options()['--dns-aliyun-wait-limit']} seconds" in page
    assert retrying.PATIENCE == 120
    assert "two minutes" in page


def test_the_page_on_how_it_works_lists_each_module_in_its_own_words() -> None:
    listed = re.findall(
        r"^``([\w/]+(?:\.py|/))``\n((?: {3}.+\n)+)", text_of("docs/how-it-works.rst"), re.MULTILINE
    )
    modules = {
        str(path.relative_to(PACKAGE)).replace("__init__.py", ""): ast.get_docstring(
            ast.parse(path.read_text(encoding="utf-8"))
        )
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE or path.name != "__init__.py"
    }
    assert {path: " ".join(text.split()) for path, text in listed} == {
        path: " ".join(str(said).split("\n\n")[0].split()) for path, said in modules.items()
    }


def test_the_page_on_contributing_maps_the_tests() -> None:
    files = [path for path in (ROOT / "tests").glob("*/*.*") if path.suffix != ".pyc"]
    folders = [path.parent for path in files if path.is_file()]
    mapped = re.findall(r"^``(tests/\w+)``$", text_of("docs/contributing.rst"), re.MULTILINE)
    assert set(mapped) == {str(folder.relative_to(ROOT)) for folder in folders}


def test_the_map_of_the_house_is_that_of_the_imports() -> None:
    source = text_of("docs/drawings/house.dot")
    rooms = dict(re.findall(r'^  (\w+) \[label="([\w./]+)', source, re.MULTILINE))
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders <= {*rooms.values()}
    below: dict[str, set[str]] = {room: set() for room in rooms}
    for room, place in rooms.items():
        for path in [PACKAGE / place] if place.endswith(".py") else (PACKAGE / place).glob("*.py"):
            for found in re.findall(r"certbot_dns_aliyun\.(\w+)", path.read_text(encoding="utf-8")):
                below[room] |= {found} & rooms.keys() - {room}

    def reached(room: str, without: str = "") -> set[str]:
        steps = below[room] - {without}
        return steps.union(*(reached(each) for each in steps))

    arrows = {(a, b) for a in rooms for b in below[a] if b not in reached(a, without=b)}
    assert set(re.findall(r"^  (\w+) -> (\w+)$", source, re.MULTILINE)) == arrows


def test_where_to_change_what_names_what_is_there() -> None:
    table = (
        text_of("docs/contributing.rst")
        .partition("Where do I change")[2]
        .partition("\nThe code")[0]
    )
    places = re.findall(r"``([\w/.]+\.\w+)``", table)
    assert len(places) >= 10
    for place in places:
        assert (ROOT / place).exists() or (ROOT / "certbot_dns_aliyun" / place).exists(), place


DRAWINGS = sorted(path.stem for path in (ROOT / "docs" / "drawings").glob("*.dot"))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_what_its_source_says(name: str) -> None:
    source = text_of(f"docs/drawings/{name}.dot")
    labels = re.findall(r'label="([^"]+)"', source)
    lines = [line for label in labels for line in label.split(r"\n")]
    drawn = re.findall("<text [^>]*>([^<]+)</text>", text_of(f"docs/images/{name}.svg"))
    assert sorted(map(html.unescape, drawn)) == sorted(lines), "run: python docs/make_drawings.py"


@pytest.mark.parametrize("name", [name for name in DRAWINGS if "." not in name])
def test_a_drawing_is_the_same_in_chinese_and_has_its_words_on_a_page(name: str) -> None:
    sources = [text_of(f"docs/drawings/{name}{language}.dot") for language in ("", ".zh_CN")]
    english, chinese = (re.sub('label="[^"]+"', "", source) for source in sources)
    assert english == chinese
    pages = "".join(text_of(page) for page in IN_DOCS)
    assert re.search(rf"image:: images/{name}\.svg\n   :alt: \S", pages)


@pytest.mark.parametrize("name", ["speed", "growth"])
def test_what_was_measured_is_drawn_in_both_languages_by_day_and_by_night(name: str) -> None:
    english, chinese = (text_of(f"docs/images/{name}{language}.svg") for language in ("", ".zh_CN"))
    words = "(?<=>)[^<>]*(?=</text>)"
    assert re.sub(words, "", english) == re.sub(words, "", chinese), "run: make bench"
    for said in re.findall(words, chinese):
        own = re.sub(r"certbot-dns-[a-z-]+|API|CPU|DNS|MiB|Python", "", said)
        assert not re.search("[A-Za-z]", own), said
    # What hold_drawings of docs/conf.py looks for.
    assert english.startswith('<svg class="drawing" fill="currentColor"')
    assert not re.search("#(?:f{6}|0{6})|white|black", english)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_are_there(page: str) -> None:
    links = re.findall(r"`[^`<]*<([^`>]+)>`_", text_of(page))
    for link in links:
        assert link.startswith("https://") or ((ROOT / page).parent / link).is_file(), link


@pytest.mark.parametrize("page", PAGES)
def test_pages_need_no_sphinx(page: str) -> None:
    if page == "docs/index.rst":
        pytest.skip("it is the site's own, and says what is on it")
    assert not re.search(r":[a-z:]+:`|^ *\.\. (toctree|automodule|note::.*ref)", text_of(page))
