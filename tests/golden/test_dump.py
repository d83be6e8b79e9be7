# SPDX-License-Identifier: MIT
"""What every thread does at the end of a recording: some as text and JSON, compared with
NAME.dump.txt and NAME.dump.json; what must hold of all of them, here; and the words of the
command."""

import functools
import json
import re
import subprocess

import jsonschema
import pytest

from test_golden import CASES, GILSCOPE, ROOT, SCRIPTS, compare, properties

SHOWN = [
    CASES / f"{name}.script"
    for name in """
        deadlock dump edges_holder foreign_thread gil_off hostile_stacks hung stopped supervisor
        two_processes
    """.split()
]
