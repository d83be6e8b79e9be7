# SPDX-License-Identifier: MIT
"""Writes the tables of docs/support.md."""
import datetime
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join(ROOT, "docs", "support.md")
FOUND = {"stalls": "stalls found", "right": "causes right", "names": "names right", "stacks": "stacks right"}
PYTHONS = {"interpreter": "interpreter", "python": "version", "loop": "loop", "sites": "sites", **FOUND, "result": "result"}
GUESTS = {"kernel": "kernel", "machine": "machine", "python": "Python", "loop": "loop", **FOUND, "result": "result"}


def cells(row, columns):
    result = "; ".join(row["faults"]).replace("|", "/").replace("\n", " ") or "all as promised"
    return [str({**row, "result": result[:160]}.get(key, "–")) for key in columns]


def table(rows, columns):
    """Markdown that reads well as text too."""
    lines = [list(columns.values()), *(cells(row, columns) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def write(part, rows, columns, whole):
    """Puts the table between the part's marks, when it is `whole`: a part of it says nothing of the rest."""
    begin, end = f"<!-- matrix {part} -->", "<!-- /matrix -->"
    if not whole:
        print(f"docs/support.md is left as it is: not everything was run")
        return
    with open(DOCUMENT) as file:
        text = file.read()
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), text, re.DOTALL)
    made = f"{begin}\n{table(rows, columns)}\n\n{datetime.date.today()}\n{end}"
    with open(DOCUMENT, "w") as file:
        file.write(text[:found.start()] + made + text[found.end():])
