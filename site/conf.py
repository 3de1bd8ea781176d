"""The configuration of the HTML book: `make site` lays out its sources and calls Sphinx."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # Sphinx reads the copy in build/source
sys.path.insert(0, str(ROOT))

from tools.site import REPOSITORY, add_buttons  # noqa: E402

owner, name = REPOSITORY.split("/")[-2:]

project = "Semantic segmentation with Keras"
author = "The authors of Semantic segmentation with Keras"
copyright = f"{author}. Text and figures CC BY 4.0, code Apache-2.0"

extensions = [
    "myst_nb",
    "notfound.extension",
    "sphinx.ext.autodoc",
    "sphinx.ext.githubpages",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]

# Pages: stored outputs, nothing runs.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "tools.site.heading_id"
myst_url_schemes = ["http", "https", "mailto"]

# Reference: from the docstrings. They use single backticks for code.
os.environ["KERAS_BACKEND"] = "jax"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"
default_role = "code"
napoleon_numpy_docstring = False

# Formulas without a network.
mathjax_path = "mathjax/tex-chtml.js"

html_theme = "sphinx_book_theme"
html_title = project
html_baseurl = f"https://{owner.lower()}.github.io/{name}/"
notfound_urls_prefix = f"/{name}/"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = True
html_last_updated_fmt = None
html_theme_options = {
    "repository_url": REPOSITORY,
    "use_repository_button": True,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navbar_persistent": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}


def setup(app):
    """Add the buttons of a notebook after the theme's own."""
    app.connect("html-page-context", add_buttons, priority=600)
