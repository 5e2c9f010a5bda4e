"""The site: `make docs`. Its pages are plain reStructuredText, which reads well in place, too."""

from __future__ import annotations

import os
import posixpath
import re
import sys
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
release = re.search(r'version="(.*)"', (ROOT / "setup.py").read_text(encoding="utf-8"))[1]  # type: ignore[index]
version = release

extensions = ["sphinx_copybutton", "chinese_search"]
nitpicky = True

# The other language is built with `-D language=zh_CN`. Sphinx writes its .mo files beside the .po
# files that it reads, so `make docs` lets it read copies of those.
language = "en"
locale_dirs = [os.environ.get("LOCALES", "locale")]
gettext_compact = False
gettext_location = False
gettext_last_translator = ""
gettext_language_team = ""

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_static_path: list[str] = []
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
# Each language is a folder of the site, and `make docs` builds both.
html_context = {"languages": {"en": ("en", "English"), "zh_CN": ("zh", "简体中文")}}
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


def setup(app: Any) -> None:
    """See Sphinx's documentation on extensions."""
    app.connect("doctree-read", link_pages)
