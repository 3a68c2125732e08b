"""The built book, in a real browser: nothing fetched, nothing broken, readable by everyone, on any screen.

`make test` builds the book first. Every page is opened from the file system in headless Chromium.
"""

import os
import pathlib
import re
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
HTML = ROOT / "book" / "_build" / "html"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
PAGES = sorted(p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html")
               if "_static" not in p.parts and 'http-equiv="Refresh"' not in p.read_text(encoding="utf-8"))

sys.path.insert(0, str(ROOT / "book"))
import make_figures  # noqa: E402
import make_index  # noqa: E402

LOOK = """() => ({
  untypeset: document.querySelectorAll('span.math, div.math').length
      - document.querySelectorAll('span.math > mjx-container, div.math > mjx-container').length,
  wrong_formulas: document.querySelectorAll('[data-mjx-error], mjx-container [fill="red"]').length,
  broken_images: [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src),
  images_without_alt: [...document.querySelectorAll('main img')]
      .filter(i => i.alt.trim().length < 10 || /_images|_static|\\.svg|\\.png/.test(i.alt)).map(i => i.src),
})"""
# A chapter has ten thousand coloured words of code and formula signs, of a few dozen kinds; axe takes a minute for all.
ONE_OF_EACH_KIND = """() => {
  const seen = new Set();
  for (const node of document.querySelectorAll('mjx-container, .highlight span')) {
    const around = node.closest('[class*="cell_"], table, section');
    const long = node.textContent.trim().length > 1;  // axe leaves single letters undecided
    const kind = [node.className, long, node.getAttribute('display'), around?.tagName, around?.className].join('|');
    if (seen.has(kind)) node.remove(); else seen.add(kind);
  }
}"""
AXE = """async () => (await axe.run(document, {resultTypes: ['violations'], preload: false})).violations
      .map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 150)).join(' | '))"""
WIDE = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def test_the_book_is_built():
    assert (HTML / "index.html").exists(), "run make book"
    built = (HTML / "index.html").stat().st_mtime
    sources = [*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("exercises/starters/*.ipynb"), *ROOT.glob("book/*.md"),
               *ROOT.glob("book/*.ipynb"), *ROOT.glob("book/*.yml"), *ROOT.glob("book/_static/*")]
    assert max(p.stat().st_mtime for p in sources) <= built, "the pages are older than their sources: run make book"
    assert len(PAGES) >= 12


def test_a_browser_is_there_in_ci():
    assert BROWSER or not os.environ.get("CI"), "the page tests need Chromium: .ci/run installs it"


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("THE PAGE TESTS DID NOT RUN: install your system's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["light-1280", "dark-1280", "light-390"])
def page(request, browser):
    scheme, width = request.param.split("-")
    context = browser.new_context(color_scheme=scheme, viewport={"width": int(width), "height": 900},
                                  reduced_motion="reduce")
    page = context.new_page()
    page.log = []
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else page.log.append(r.url))
    page.on("console", lambda m: page.log.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.log.append(str(e)))
    page.on("requestfailed", lambda r: page.log.append(f"failed {r.url}"))
    page.wide = int(width)
    yield page
    context.close()


@pytest.mark.page
@pytest.mark.parametrize("name", PAGES)
def test_page(page, name):
    """One visit, all questions."""
    page.log.clear()
    page.goto((HTML / name).as_uri(), wait_until="load")
    page.evaluate("async () => { if (window.MathJax?.startup?.promise) await MathJax.startup.promise }")
    seen = page.evaluate(LOOK)
    assert not page.log, f"requests that leave the book, or errors: {page.log}"
    assert not any(seen.values()), seen
    assert page.evaluate(WIDE) <= 0, "the page scrolls sideways"
    page.evaluate(ONE_OF_EACH_KIND)
    page.add_script_tag(path=str(ROOT / "tests" / "vendor" / "axe.min.js"))
    assert page.evaluate(AXE) == []


@pytest.mark.page
def test_axe_still_finds_what_is_wrong_on_a_thinned_page(page):
    """A pale word of code, a picture without alt text, a nameless link and a skipped heading, on the longest page."""
    longest = max(PAGES, key=lambda name: (HTML / name).stat().st_size)
    page.goto((HTML / longest).as_uri(), wait_until="load")
    page.evaluate("""() => {
      for (const name of document.querySelectorAll('.highlight .n'))
        name.style.cssText = 'color: #888; background: #777';
      document.querySelector('section img').removeAttribute('alt');
      const skipped = '<h5>skipped</h5><a href="#x"></a>';
      document.querySelector('section h2').insertAdjacentHTML('beforebegin', skipped);
    }""")
    page.evaluate(ONE_OF_EACH_KIND)
    page.add_script_tag(path=str(ROOT / "tests" / "vendor" / "axe.min.js"))
    found = {text.split(":")[0] for text in page.evaluate(AXE)}
    assert {"color-contrast", "image-alt", "link-name", "heading-order"} <= found


def test_internal_links_and_anchors_are_alive():
    anchors = {}

    def anchors_of(path):
        if path not in anchors:
            anchors[path] = set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))
        return anchors[path]

    for name in PAGES:
        path = HTML / name
        for link in set(re.findall(r'href="([^"]+)"', path.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:|//", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            assert target.exists(), f"{name}: dead link {link}"
            if anchor and target.suffix == ".html":
                assert anchor in anchors_of(target), f"{name}: dead anchor {link}"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_names_another_host_to_load_from(name):
    text = (HTML / name).read_text(encoding="utf-8")
    assert not re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(?:https?:)?//[^"]+"', text)


def test_the_stored_outputs_are_on_the_page():
    """The book shows what the notebooks hold: it was not run again."""
    text = (HTML / "chapters" / "05_convolution.html").read_text(encoding="utf-8")
    assert "2228 settings counted; the formula is right in all" in text
    assert "execute_notebooks: \"off\"" in (ROOT / "book" / "_config.yml").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_no_raw_markup_is_left(name):
    text = re.sub(r"<pre>.*?</pre>", "", (HTML / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\| --- \||\{(?:eq|cite|numref|ref)[:}]", text), "a table or a role was not rendered"


def test_search_finds_words_and_functions():
    index = (HTML / "searchindex.js").read_text(encoding="utf-8")
    for word in ("equivari", "adjoint", "conv2d", "softmax", "sunspot"):
        assert word in index, word


def test_the_equation_index_and_the_readme_table_are_up_to_date():
    assert (ROOT / "book" / "equations.md").read_text(encoding="utf-8") == make_index.equations(), "make figures"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert make_index.readme(text) == text, "make figures"


def test_the_front_figure_is_what_its_script_draws(tmp_path):
    make_figures.draw(tmp_path / "front.svg")
    def without_pixels(path):
        return re.sub(r"data:image/png;base64,[\w+/=\s]+", "PNG", path.read_text(encoding="utf-8"))
    assert without_pixels(tmp_path / "front.svg") == without_pixels(make_figures.FRONT), "make figures"


def test_the_glossary_has_a_chinese_term_for_every_english_one():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)[2:]
    assert len(rows) >= 60
    assert [r[0].lower() for r in rows] == sorted(r[0].lower() for r in rows)
    for _, chinese, meaning in rows:
        assert re.search(r"[\u4e00-\u9fff]", chinese) and meaning.endswith(".")
