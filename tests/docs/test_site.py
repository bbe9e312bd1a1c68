"""The site can be built, holds every page, and loads nothing from elsewhere."""

import re

import pytest
from documentation.site import build
from tests.docs.code_blocks import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    build(ROOT, target)
    return target / "site"


def test_every_page_and_the_code_that_pages_link_to_are_there(site):
    pages = [path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")]
    built = {page: site / ("." if page.name == "index" else page) / "index.html" for page in pages}
    assert [str(page) for page, html in built.items() if not html.exists()] == []
    assert ">Worker<" in (site / "code/src/perdure/workers/worker.py/index.html").read_text()


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^>]+>")
    foreign = {found for page in site.rglob("*.html") for found in loaded.findall(page.read_text())}
    assert {one for one in foreign if 'rel="canonical"' not in one} == set()


def test_a_link_to_nowhere_ends_the_build(tmp_path):
    root = tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    (root / "CHANGELOG.md").write_text("# Changes\n")
    (root / "docs/index.md").write_text("# Index\n\n[There](#no-such-heading)\n")
    with pytest.raises(SystemExit, match="no-such-heading"):
        build(root, tmp_path / "build")
