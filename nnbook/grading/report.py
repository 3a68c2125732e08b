"""One page of HTML a student: what each question earned, and the author's word on what is missing.

The page stands alone (no script, nothing fetched, light and dark), and every text in it is escaped.
"""

import html
import string

SIGNS = {"passed": "✓", "failed": "✗"}
WORDS = {"passed": "passed", "failed": "failed", "not answered": "not answered", "missing": "not in the notebook",
         "error": "does not run", "timeout": "took too long", "crash": "stopped the process"}

PAGE = string.Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif;
       color: #1b1f24; background: #fff; overflow-wrap: break-word; }
table { width: 100%; table-layout: fixed; border-collapse: collapse; margin: .5rem 0 1.5rem; }
caption { text-align: left; }
thead th:nth-child(2) { width: 6.5rem; } thead .points { width: 5rem; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #767676; text-align: left; vertical-align: top; }
.points { text-align: right; white-space: nowrap; }
.passed { color: #1a6b32; } .failed { color: #a32018; }
a { color: #0a58a8; }
h2 { margin: 1.5rem 0 .25rem; font-size: 1.15rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e8eaed; background: #16181c; } a { color: #8ab8f0; }
  .passed { color: #7fd497; } .failed { color: #ff9d94; }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")


def escape(text):
    """Any text as text of an HTML page: escaped, control characters and lone surrogates made visible."""
    text = str(text).encode("utf-8", "backslashreplace").decode()
    return html.escape("".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text))


def page(report, titles=None, equations=None):
    """The page of one report.

    `report` is what `Report.as_dict` gives; `titles` and `equations` map a question to its title and to
    the words that name the equation to look at. Returns the HTML as a string.
    """
    titles, equations = titles or {}, equations or {}
    title = escape(f"{report['student'] or 'Your answers'}: {report['exercise']}")
    sections = "".join(_section(mark, titles, equations.get(mark["question"], ""))
                       for mark in report["marks"] if _open(mark))
    return PAGE.substitute(title=title, body=_summary(report, titles) + sections + _notes(report["notes"]))


def _summary(report, titles):
    if report["status"] != "graded":
        return f"<p><strong>Not graded.</strong> {escape(report['reason'])}</p>\n"
    solved = sum(mark["points"] == mark["maximum"] for mark in report["marks"])
    rows = "".join(f'<tr><th scope="row">{_title(mark, titles, link=_open(mark))}</th>'
                   f"<td>{result(mark['status'])}</td><td class=\"points\">{_points(mark)}</td></tr>\n"
                   for mark in report["marks"])
    return (f"<p><strong>{report['points']:g} of {report['maximum']:g} points</strong>, "
            f"{solved} of {len(report['marks'])} questions solved.</p>\n"
            "<table>\n<caption>Points</caption>\n<thead><tr><th scope=\"col\">Question</th>"
            f'<th scope="col">Result</th><th scope="col" class="points">Points</th></tr></thead>\n'
            f"<tbody>\n{rows}</tbody>\n</table>\n")


def _section(mark, titles, equation):
    told = any(check["message"] == mark["message"] for check in mark["checks"])
    clue = f"<p>{escape(mark['message'])}</p>\n" if mark["message"] and not told else ""
    if equation:
        clue += f"<p>To look at: {escape(equation)}.</p>\n"
    rows = check_rows(mark["checks"])
    return f'<section id="{escape(mark["question"])}">\n<h2>{_title(mark, titles)}</h2>\n{clue}{rows}</section>\n'


def check_rows(checks, caption="Checks", style=""):
    """The table of the checks of one question, a row a check; "" where there are none. `style` goes to each cell."""
    style = f' style="{style}"' if style else ""
    rows = "".join(f'<tr><th scope="row"{style}>{escape(check["label"])}</th>'
                   f"<td{style}>{result('passed' if check['passed'] else 'failed')}</td>"
                   f"<td{style}>{escape(check['message'])}</td></tr>\n" for check in checks)
    head = "".join(f'<th scope="col"{style}>{word}</th>' for word in ("Check", "Result", "Message"))
    return (f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{rows}</tbody>\n</table>\n") if rows else ""


def result(status):
    """The word for a status behind its sign; the colour says nothing that the word does not."""
    kind = "passed" if status == "passed" else "failed"
    word = escape(WORDS.get(status, status))
    return f'<span class="{kind}"><span aria-hidden="true">{SIGNS[kind]}</span> {word}</span>'


def _open(mark):
    """Whether there is more to say of a question than that it is solved."""
    return mark["status"] != "passed" and (mark["message"] or mark["checks"])


def _title(mark, titles, link=False):
    title = escape(titles.get(mark["question"]) or mark["question"])
    return f'<a href="#{escape(mark["question"])}">{title}</a>' if link else title


def _points(mark):
    return f"{mark['points']:g} of {mark['maximum']:g}"


def _notes(notes):
    items = "".join(f"<li>{escape(note)}</li>\n" for note in notes)
    return f"<h2>Notes</h2>\n<ul>\n{items}</ul>\n" if items else ""
