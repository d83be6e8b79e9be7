# SPDX-License-Identifier: MIT
"""Writes the tables of docs/evidence/support.md, one for each mode. Every row has its date: a run
of all writes a table anew, a run of some puts its own rows in the place of older ones. What the
faults of rows are is listed below their table."""

import datetime
import os
import re
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENT = os.path.join(ROOT, "docs", "evidence", "support.md")
MODES = ("exact", "edges")
FOUND = ("stalls", "right", "names", "stacks")
# the first columns, up to and with "loop", say what was run: a row is replaced by one that has the
# same there
PYTHONS = ("interpreter", "loop", "version", "sites", "found and right", "faults", "date")
GUESTS = ("kernel", "loop", "Python", "sites", "found and right", "faults", "date")
FAULT_LENGTH = 120
COLUMNS = 100


def count(ratio):
    """16/16 is 16; 15/16 is 15 of 16."""
    part, _, whole = str(ratio).partition("/")
    return part if part == whole else f"{part} of {whole}" if whole else part


def found(row):
    """What is missing is among the faults, so the totals, which hardly differ, are left out."""
    if "passed" in row:
        return count(row["passed"])
    return ", ".join(str(row.get(key, "–")).partition("/")[0] for key in FOUND)


def cells(row, columns):
    values = {
        "version": row.get("python", "–"),
        "Python": row.get("python", "–"),
        "found and right": found(row),
        "faults": str(len(row["faults"]) or "none"),
        "date": str(datetime.date.today()),
        "sites": str(row.get("sites", "–")).replace("scan ", ""),
    }
    return [str(values.get(column, row.get(column, "–"))) for column in columns]


def key_of(line, columns):
    """What was run, in the cells of a row."""
    return " ".join(line[: columns.index("loop") + 1])


def faults(row, columns):
    """(what was run, what was wrong) for each fault of a row."""
    key = key_of(cells(row, columns), columns)
    return [(key, " ".join(fault.split())[:FAULT_LENGTH]) for fault in row["faults"]]


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


def parse_faults(text):
    """The list below a table, as faults() has it."""
    entries = re.findall(r"^\* (.*(?:\n  .*)*)", text, re.MULTILINE)
    return [tuple(" ".join(entry.split()).split(": ", 1)) for entry in entries]


def merge(old, new, columns, whole):
    by_key = {} if whole else {key_of(row, columns): row for row in old if len(row) == len(columns)}
    by_key.update({key_of(row, columns): row for row in new})
    return list(by_key.values())


def part_of_document(old, rows, columns, whole):
    """The table and the list of faults, made of the old text and of what was run."""
    lines = [cells(row, columns) for row in rows]
    keys = {key_of(line, columns) for line in lines}
    found = [] if whole else [fault for fault in parse_faults(old) if fault[0] not in keys]
    found += [fault for row in rows for fault in faults(row, columns)]
    wrong = [
        textwrap.fill(f"* {key}: {fault}", COLUMNS, subsequent_indent="  ") for key, fault in found
    ]
    made = table([list(columns), *merge(parse(old), lines, columns, whole)])
    return "\n".join([made, *([""] if wrong else []), *wrong])


def write(part, rows, columns, whole):
    """Puts them into the part's places in the document, by mode. `whole`: they are all there is."""
    for mode in dict.fromkeys(row["mode"] for row in rows):
        write_table(f"{part} {mode}", [r for r in rows if r["mode"] == mode], columns, whole)


def write_table(place, rows, columns, whole):
    begin, end = f"<!-- matrix {place} -->", "<!-- /matrix -->"
    with open(DOCUMENT) as file:
        text = file.read()
    found = re.search(re.escape(begin) + "(.*?)" + re.escape(end), text, re.DOTALL)
    made = part_of_document(found[1], rows, columns, whole)
    with open(DOCUMENT, "w") as file:
        file.write(text[: found.start()] + f"{begin}\n{made}\n{end}" + text[found.end() :])
