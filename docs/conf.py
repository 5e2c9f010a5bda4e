"""The site: `make docs`. Its pages are plain reStructuredText, which reads well in place, too."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from sphinx import addnodes

#: Files beside docs/, and the pages that hold them.
_OF_THE_CHECKOUT = {"README": "/index", "CHANGELOG": "/changes"}

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(ROOT / "docs"))

project = "certbot-dns-aliyun"
author = "the certbot-dns-aliyun maintainers"
release = re.search(
    r'^version = "(.*)"', (ROOT / "setup.py").read_text(encoding="utf-8"), re.MULTILINE
)[1]  # type: ignore[index]
version = release

extensions = ["sphinx_copybutton", "site_search"]
nitpicky = True

# `make docs` gives the language by -D; at Read the Docs, a language is a project of its own. Sphinx
# writes its .mo files beside the .po files that it reads, so `make docs` gives it copies of those.
language = "zh_CN" if os.environ.get("READTHEDOCS_LANGUAGE") == "zh-cn" else "en"
locale_dirs = [os.environ.get("LOCALES", "locale")]
gettext_compact = False
gettext_location = False
gettext_last_translator = ""
gettext_language_team = ""

figure_language_filename = "{path}{basename}.{language}{ext}"

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_static_path = ["static"]
html_extra_path = ["commands/check.schema.json"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
_LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
if "READTHEDOCS_VERSION" in os.environ:
    _FOLDER = "../../{0}/" + os.environ["READTHEDOCS_VERSION"]
    _FOLDERS = {"en": _FOLDER.format("en"), "zh-CN": _FOLDER.format("zh-cn")}
else:
    _FOLDERS = {"en": "../en", "zh-CN": "../zh"}
#: Where the site is in each language, as seen from itself, and what that language calls itself.
html_context = {"languages": {code: (_FOLDERS[code], name) for code, name in _LANGUAGES.items()}}
copybutton_prompt_text = "$ "


def link_pages(app: Any, tree: nodes.document) -> None:
    """Let links to `page.rst`, which work where the files lie, lead to the page of the site."""
    for reference in list(tree.findall(nodes.reference)):
        path, _, fragment = reference.get("refuri", "").partition("#")
        if ":" in path or not path.endswith(".rst") or fragment:
            continue
        target = addnodes.pending_xref(
            "",
            *reference.children,
            refdomain="std",
            reftype="doc",
            reftarget=_page_of(path, app.env.docname),
            refdoc=app.env.docname,
            refexplicit=True,
            refwarn=True,
        )
        reference.replace_self(target)


def _page_of(path: str, of: str) -> str:
    """Give the page for a link that stands on a page, or in what that page includes."""
    name = PurePosixPath(path).stem
    if name in _OF_THE_CHECKOUT:
        return _OF_THE_CHECKOUT[name]
    folder = "" if path.startswith("docs/") else posixpath.dirname(of)
    page = posixpath.join("/", folder, path.removeprefix("docs/"))
    return posixpath.normpath(page).removesuffix(".rst")


def index_codes(app: Any, tree: nodes.document) -> None:
    """Let the search lead to a code's place in the error guide, and not to the top of that page."""
    for code in list(tree.findall(nodes.literal)):
        anchor = nodes.make_id(code.astext())
        if app.env.docname == "errors" and anchor in tree.ids:
            entry = ("single", code.astext(), anchor, "", None)
            code.parent.insert(code.parent.index(code), addnodes.index(entries=[entry]))


def hold_drawings(app: Any, tree: nodes.document, page: str) -> None:
    """Put the drawings into the pages, so that they have the colours of those."""
    if app.builder.format != "html":
        return
    for image in list(tree.findall(nodes.image)):
        svg = (Path(app.srcdir) / image["uri"]).read_text(encoding="utf-8")
        if svg.startswith('<svg class="drawing"'):
            alt = escape(image.get("alt", ""))
            box = f'<div class="drawing" role="img" tabindex="0" aria-label="{alt}">{svg}</div>'
            image.replace_self(nodes.raw("", box, format="html"))


def level_captions(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Say of the captions in the sidebar how deep they are, as screen readers need to know."""
    navigation = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = navigation.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def setup(app: Any) -> None:
    """See Sphinx's documentation on extensions."""
    app.connect("doctree-read", link_pages)
    app.connect("doctree-read", index_codes)
    app.connect("doctree-resolved", hold_drawings)
    # After furo, which makes that tree.
    app.connect("html-page-context", level_captions, priority=900)
