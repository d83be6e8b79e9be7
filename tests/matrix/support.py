# SPDX-License-Identifier: MIT
"""Writes the tables of docs/evidence/support.md. Every row has its date: a run of all writes the table anew,
a run of some puts its own rows in the place of older ones."""

import datetime
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join(ROOT, "docs", "evidence", "support.md")
FOUND = {
    "stalls": "stalls found",
    "right": "causes right",
    "names": "names right",
    "stacks": "stacks right",
    "result": "result",
    "date": "date",
}
# the first columns, up to and with "loop", say what was run: a row is replaced by one that has the
# same there
PYTHONS = {
    "interpreter": "interpreter",
    "loop": "loop",
    "python": "version",
    "sites": "sites",
    **FOUND,
}
GUESTS = {
    "kernel": "kernel",
    "machine": "machine",
    "loop": "loop",
    "python": "Python",
    "sites": "sites",
    **FOUND,
}
RESULT_LENGTH = 120


def cells(row, columns):
    faults = [" ".join(fault.replace("|", "/").split()) for fault in row["faults"]]
    result = (
        "as promised"
        if not faults
        else faults[0][:RESULT_LENGTH]
        + (f" … and {len(faults) - 1} more" if len(faults) > 1 else "")
    )
    return [
        str({**row, "result": result, "date": datetime.date.today()}.get(key, "–"))
        for key in columns
    ]


def table(lines):
    """Markdown that reads well as text too."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def parse(text):
    """The rows of a table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ][1:]


def merge(old, new, columns, whole):
    names = list(columns).index("loop") + 1
    by_name = {} if whole else {tuple(row[:names]): row for row in old if len(row) == len(columns)}
    by_name.update({tuple(row[:names]): row for row in new})
    return list(by_name.values())


def write(part, rows, columns, whole):
    """Puts them into the part's table. `whole`: they are all there is."""
    begin, end = f"<!-- matrix {part} -->", "<!-- /matrix -->"
    with open(DOCUMENT) as file:
        text = file.read()
    found = re.search(re.escape(begin) + "(.*?)" + re.escape(end), text, re.DOTALL)
    merged = merge(parse(found[1]), [cells(row, columns) for row in rows], columns, whole)
    made = table([list(columns.values()), *merged])
    with open(DOCUMENT, "w") as file:
        file.write(text[: found.start()] + f"{begin}\n{made}\n{end}" + text[found.end() :])
