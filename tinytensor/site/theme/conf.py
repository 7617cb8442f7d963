"""The configuration of Sphinx."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import desc, desc_signature, pending_xref

# Full names of classes that signatures call by their short names: "Tensor".
CLASSES = json.loads((Path(__file__).parent / "classes.json").read_text(encoding="utf-8"))

project = "tinytensor"
author = "The tinytensor developers"
copyright = "the tinytensor developers, MIT license"
extensions = ["myst_parser"]
exclude_patterns = ["_static"]
html_theme = "furo"
html_title = "tinytensor"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_sphinx = False
html_use_index = True
html_domain_indices = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "light_logo": "logo.svg",
    "dark_logo": "logo-dark.svg",
    "sidebar_hide_name": True,
}
myst_enable_extensions = ["colon_fence", "attrs_block"]
myst_heading_anchors = 4
highlight_language = "text"
smartquotes = False
add_module_names = False
toc_object_entries_show_parents = "hide"
python_display_short_literal_types = True
suppress_warnings = [
    "misc.highlighting_failure",  # a program with a task in it
]


def improve(app, doctree):
    """Links of types go to the classes of these names only: `float` is Python's, not the dtype.
    A name that is described with others is once in the contents of its page.
    """
    for link in list(doctree.findall(pending_xref)):
        if link.get("refdomain") == "py" and link["reftype"] != "obj":
            full = CLASSES.get(link["reftarget"])
            if full:
                link["reftarget"], link["reftype"], link["refspecific"] = full, "obj", False
            else:
                link.replace_self(link.children)
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":  # what Sphinx writes between a parameter and its description
            text.parent.replace(text, nodes.Text(": "))
    for described in doctree.findall(desc):
        seen = set()
        for signature in described.findall(desc_signature):
            if signature.parent is described:
                short = signature.get("_toc_name")
                if short in seen:
                    signature["_toc_name"] = ""
                seen.add(short)


def setup(app):
    app.connect("doctree-read", improve, priority=100)  # before the contents are collected
    return {"parallel_read_safe": True, "parallel_write_safe": True}
