"""CITATION.cff names the version of the package."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_citation_names_the_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["preferred-citation"]["version"] == project["version"]
    assert citation["license"] == project["license"]
