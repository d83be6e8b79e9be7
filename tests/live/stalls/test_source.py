# SPDX-License-Identifier: MIT
"""Lines of source and decorators: those of the file that the process has loaded, or none."""

import contextlib
import linecache
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

import harness
import laws

SLOW = """
import asyncio, time

def slow():
    time.sleep(0.06)

async def main():
    while True:
        slow()
        await asyncio.sleep(0.02)

print("ready", flush=True)
asyncio.run(main())
"""


def frames_in(value):
    """Everything in a report that has a place in a file."""
    if isinstance(value, dict):
        if {"file", "line", "function"} <= value.keys():
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from frames_in(item)


def sources_in(report):
    return {frame["source"] for frame in frames_in(report) if "source" in frame}


def test_lines_are_those_of_the_files():
    """Every line of the application, and no other; the decorator that has the path."""
    with harness.WebApp(
        "asyncio", module="handlers_truth:app", prefix=harness.undisturbed()
    ) as app:
        app.call("sync_route")  # the first request imports much
        known = len(app.marks())
        with harness.attach(app) as running:
            for name in ("async_route", "deep_route", "method_route", "sync_route"):
                app.call(name)
            marks, report = app.marks()[known:], running.finish().report
    told = {}
    for frame in frames_in(report):
        line = linecache.getline(frame["file"], frame["line"]).strip()
        # the line of a blame is its function's definition, of which only the decorator is read
        if "source" in frame:
            assert frame["source"] == line and "/tests/apps/" in frame["file"], frame
            told[frame["file"], frame["line"]] = frame["source"]
        if "decorator" in frame:
            text = pathlib.Path(frame["file"]).read_text()
            name = frame["function"].rpartition(".")[2]
            assert frame["decorator"] in map(str.strip, text.splitlines()), frame
            assert frame["decorator"] == f'@app.get("/{name}")' or "get(" not in frame["decorator"]
    assert len(told) >= 5
    for mark in marks:
        if mark.name == "sync_route":
            continue
        stall = laws.the_stall(report, mark)
        assert "decorator" in stall["handler"] and "source" in stall["handler"], stall["handler"]
        for frame in stall["stack"]:
            assert ("source" in frame) == ("/tests/apps/" in frame["file"]), frame


@contextlib.contextmanager
def slow_program(*argv, **popen):
    """A program that prints "ready"."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **popen) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def observed(pid, *options):
    done = harness.gilscope("attach", pid, "-d", "0.5s", "--json", *options)
    assert done.report["processes"][0]["loops"][0]["stalls"], done
    return sources_in(done.report)


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "slow.py"
    path.write_text(SLOW)
    return path


def test_only_if_wanted(program):
    with slow_program(harness.DEBIAN_PYTHON, program) as pid:
        assert {"time.sleep(0.06)", "slow()"} <= observed(pid)
        assert not observed(pid, "--no-source")
        assert not observed(pid, "--no-stacks")


def test_a_path_relative_to_where_the_process_is(program):
    with slow_program(harness.DEBIAN_PYTHON, program.name, cwd=program.parent) as pid:
        assert "time.sleep(0.06)" in observed(pid)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("\n" + SLOW),
        lambda path: path.write_text(SLOW.replace("0.06", "0.99")),
        lambda path: shutil.move(shutil.copy(path, path.with_suffix(".new")), path),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["shifted", "edited", "replaced", "removed", "folder"],
)
def test_none_of_a_file_that_has_changed(program, change):
    with slow_program(harness.DEBIAN_PYTHON, program) as pid:
        time.sleep(0.05)  # the grain of start times
        change(program)
        assert not observed(pid)


def test_the_file_is_the_one_that_the_process_sees(program):
    """Another root, another file system, an absolute link in it; here there is no such file."""
    root = program.parent / "root"
    root.mkdir()
    script = (
        f"{{ mount --rbind / {root} && mount -t tmpfs none {root}/srv && "
        f"mkdir {root}/srv/real && cp {program} {root}/srv/real/app.py && "
        f"ln -s /srv/real {root}/srv/link && "
        f"chroot {root} {harness.DEBIAN_PYTHON} /srv/link/app.py; true; }} & wait"
    )
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", script]
    with slow_program(*argv, start_new_session=True) as shell:
        [pid] = subprocess.check_output(
            ["pgrep", "-f", "-s", str(shell), f"^{harness.DEBIAN_PYTHON} /srv/link"], text=True
        ).split()
        try:
            assert "time.sleep(0.06)" in observed(pid)
        finally:
            subprocess.run(["kill", "-9", pid], check=True)


def test_what_the_process_may_not_read_is_not_read():
    """Its file was open to it once: gilscope reads with the rights that it has now."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": ()}
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are root's alone
        program = pathlib.Path(name) / "slow.py"
        program.write_text(SLOW)
        program.parent.chmod(0o755)
        with slow_program(harness.DEBIAN_PYTHON, program, cwd="/", **nobody) as pid:
            assert "time.sleep(0.06)" in observed(pid)
            program.parent.chmod(0o700)
            assert not observed(pid)


def test_a_recording_keeps_them(program, tmp_path):
    path = tmp_path / "slow.gsc"
    with slow_program(harness.DEBIAN_PYTHON, program) as pid:
        assert harness.gilscope("record", "-p", pid, "-d", "0.5s", "-o", path).status == 0
    program.unlink()
    report = harness.gilscope("report", path, "--json").report
    assert {"time.sleep(0.06)", "slow()"} <= sources_in(report)
    text = harness.gilscope("report", path).stdout
    assert "slow.py:5 > time.sleep(0.06)" in text
    cut = tmp_path / "cut.gsc"
    done = harness.gilscope(
        "export", path, "--format", "trace", "--from", "0.2s", "--to", "0.4s", "-o", cut
    )
    assert done.status == 0, done
    assert "time.sleep(0.06)" in sources_in(harness.gilscope("report", cut, "--json").report)


def test_the_end_of_the_process_is_early_enough(tmp_path):
    """What ends at once has been read all the same."""
    path = tmp_path / "short.py"
    path.write_text(
        "import asyncio, time\n\nasync def main():\n    await asyncio.sleep(2)\n"
        "    time.sleep(0.1)\n\nasyncio.run(main())\n"
    )
    recording = tmp_path / "short.gsc"
    done = harness.gilscope("record", "-o", recording, "--", harness.DEBIAN_PYTHON, path)
    assert done.status == 0, done
    assert "time.sleep(0.1)" in sources_in(harness.gilscope("report", recording, "--json").report)
