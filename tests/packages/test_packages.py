# SPDX-License-Identifier: MIT
"""The packages work on systems with nothing else installed: the static file, the Debian package,
the wheel, the image; also install and uninstall."""

import base64
import csv
import fcntl
import glob
import hashlib
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import zipfile
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "live/kit")]

import harness
import roots

STATIC = roots.BUILD / "gilscope-static"
MOST_BYTES = 5_000_000
SCRIPT = roots.ROOT / "tests/golden/cases/blame.script"
# the system call of time.sleep(): select until 3.10, clock_nanosleep from 3.11 on
SLEEPS = {"select", "pselect6", "clock_nanosleep"}
SLEEP_NS = 300_000_000  # as in blocking.py and served.py
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: chroot and BPF")


def built(pattern):
    found = sorted((roots.BUILD / "dist").glob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def version():
    return subprocess.run(
        [STATIC, "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[1]


def make(*words, **variables):
    """Runs make without rebuilding, whatever compiler and flags built the existing files."""
    build = os.environ.get("B", "build")
    old = [
        word
        for name in ("gilscope-static", "gilscope-static.notices", "man", "completion")
        for word in ("-o", f"{build}/{name}")
    ]
    variables = {
        "B": build,
        "PROGRAM": f"{build}/gilscope-static",
        "NATIVE": f"{build}/gilscope-static",
        **variables,
    }
    command = [
        "make",
        "--no-print-directory",
        *old,
        *words,
        *(f"{name}={value}" for name, value in variables.items()),
    ]
    return subprocess.run(command, cwd=roots.ROOT, capture_output=True, text=True)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def app():
    with Blocking() as blocking:
        yield blocking


class Blocking(harness.App):
    """blocking.py, on this system or in a root."""

    def __init__(self, root=None):
        script = Path(__file__).with_name("blocking.py")
        command = [harness.DEBIAN_PYTHON, str(script)]
        if root:
            shutil.copy(script, root / "tmp")
            command = roots.inside(root, "/usr/bin/python3", "/tmp/blocking.py")
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def block(self):
        """The application's own times of a blocking call, in nanoseconds."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def assert_right(report, begin, end):
    """The report has exactly the application's stall, with the right time, cause and handler."""
    (loop,) = report["processes"][0]["loops"]
    (stall,) = loop["stalls"]
    assert stall["start_ns"] <= begin and end <= stall["end_ns"]
    # It slept at least as long as requested. Time it then waited for a CPU is not part of the
    # sleep.
    assert stall["cause"] == "blocked" and stall["states"]["blocked"] > 0.99 * SLEEP_NS
    assert stall["syscalls"][0]["name"] in SLEEPS
    assert "blocking_call" in [frame["function"].split(".")[-1] for frame in stall["stack"]]


class Served(harness.WebApp):
    """served.py in the virtual environment of a root (roots.web), with FastAPI and uvicorn from
    PyPI."""

    def __init__(self, root):
        shutil.copy(Path(__file__).with_name("served.py"), root / "tmp")
        super().__init__(
            "auto",
            module="served:app",
            python="/opt/web/bin/python",
            folder="/tmp",
            prefix=roots.inside(root),
        )

    def block(self):
        return self.get("/block")


def attach(program, app):
    with harness.Running("attach", app.pid, "-d", "60s", "--json", program=program) as running:
        begin, end = app.block()
        outcome = running.finish()
    assert outcome.status == 0, outcome
    assert_right(outcome.report, begin, end)


def record(root, program, app):
    """Makes /out/here.gsc in the root."""
    with harness.Running(
        "record", "-p", app.pid, "-o", "/out/here.gsc", program=roots.inside(root, program)
    ) as running:
        begin, end = app.block()
        outcome = running.finish()
    assert outcome.status == 0, outcome
    assert_right(
        json.loads(roots.run(root, program, "report", "/out/here.gsc", "--json").stdout), begin, end
    )


def assert_doctor(outcome):
    assert outcome.returncode == 0 and "kernel BTF" in outcome.stdout, (
        outcome.stdout + outcome.stderr
    )


# ── the static file ───────────────────────────────────────────────────────────────────────────────


def program_headers(data):
    """Types of the segments of an ELF file."""
    at, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    return [struct.unpack_from("<I", data, at + i * size)[0] for i in range(count)]


def test_the_static_file_is_one():
    data = STATIC.read_bytes()
    assert data[:4] == b"\x7fELF" and len(data) <= MOST_BYTES
    assert 3 not in program_headers(data), "it asks for an interpreter"
    needed = subprocess.run(
        ["readelf", "-d", STATIC], capture_output=True, text=True, check=True
    ).stdout
    assert "NEEDED" not in needed


def test_it_brings_along_whose_code_is_in_it():
    notices = Path(f"{STATIC}.notices").read_text()
    if not shutil.which("dpkg-query"):
        pytest.skip("the packages of the libraries are asked of dpkg")
    assert {"libbpf-dev", "libelf-dev", "libc6-dev", "libncurses-dev"} <= set(
        re.findall(r"^════ (\S+) ", notices, re.M)
    )
    assert "Redistribution and use in source and binary forms" in notices


def read_all(root, program, source):
    """Runs every reader on a recording, in a root with an empty /out."""
    for words, inside in {
        ("report", source): None,
        ("report", source, "--json"): None,
        ("timeline", source, "-o", "/out/page.html"): "page.html",
        ("flame", source, "-o", "/out/flame.html"): "flame.html",
        ("flame", source, "-o", "/out/flame.svg"): "flame.svg",
        **{
            ("export", source, "--format", name, "-o", f"/out/{name}"): name
            for name in harness.export_formats(program=STATIC)
        },
    }.items():
        outcome = roots.run(root, program, *words)
        assert outcome.returncode == 0, (words, outcome.stderr)
        assert outcome.stdout if not inside else (root / "out" / inside).stat().st_size > 100, words


@needs_root
def test_reading_needs_nothing_of_the_system(tmp_path):
    root = roots.scratch(tmp_path, STATIC)
    shutil.copy(SCRIPT, root / "blame.script")
    read_all(root, "/gilscope", "/blame.script")
    inside = (root / "out/folded").read_text()
    outside = subprocess.run(
        [harness.GILSCOPE, "export", SCRIPT, "--format", "folded"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert inside == outside


@needs_root
def test_doctor_and_attach_need_nothing_of_the_system(tmp_path, app):
    root = roots.scratch(tmp_path, STATIC)
    assert_doctor(roots.run(root, "/gilscope", "doctor", app.pid))
    attach(roots.inside(root, "/gilscope"), app)


@needs_root
def test_a_recording_is_made_and_read_there(tmp_path, app):
    root = roots.scratch(tmp_path, STATIC)
    record(root, "/gilscope", app)
    read_all(root, "/gilscope", "/out/here.gsc")


def until_written(fd, text):
    """The output of a terminal until the text appears."""
    seen, deadline = b"", time.monotonic() + 20
    while text not in seen and select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
        seen += os.read(fd, 65536)
    return seen


def on_a_terminal(command, term, until, characters="C", meanwhile=lambda pid, fd: None):
    """What a program wrote to a terminal until a text appeared, and its exit status after it was
    quit. `meanwhile` is called in between."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, {**os.environ, "TERM": term, "LC_ALL": characters})
    seen = b""
    try:
        seen += until_written(fd, until)
        if until in seen:
            meanwhile(pid, fd)
        os.write(fd, b"qqq")  # out of nested views, then quit
        while True:
            os.read(fd, 65536)
    except OSError:  # the program has closed the terminal
        pass
    finally:
        os.close(fd)  # which ends the program if it still runs
    return seen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def top_under_its_filter(root, program, app, term="xterm", characters="C"):
    """Runs top, its views and a change of the terminal's size, under its filter of system calls.
    Returns the output until its first view."""

    def use(pid, fd):
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        assert (
            status["Name"].strip().startswith("gilscope")
            and status["Seccomp"].strip() == "2"
            and status["NoNewPrivs"].strip() == "1"
        )
        app.block()
        for keys, columns, text in (
            (b"", 120, b"1 stall"),
            (b"\r", 100, b"STALL of"),
            (b"?", 110, b"below the threshold"),
        ):
            os.write(fd, keys)
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            assert text in until_written(fd, text), keys

    seen, status = on_a_terminal(
        roots.inside(root, program, "top", app.pid), term, b"THREADS", characters, use
    )
    assert (status, b"THREADS" in seen) == (0, True), seen.decode(errors="replace")
    return seen


@needs_root
@pytest.mark.parametrize("term", ["xterm", "tmux-256color"])
def test_top_needs_no_description_of_terminals(tmp_path, app, term):
    top_under_its_filter(roots.scratch(tmp_path, STATIC), "/gilscope", app, term)


@needs_root
def test_top_refuses_a_terminal_that_nobody_knows(tmp_path):
    root = roots.scratch(tmp_path, STATIC)
    seen, status = on_a_terminal(
        roots.inside(root, "/gilscope", "top", os.getpid()), "nosuch", b"\n"
    )
    assert status == 2 and b"TERM=nosuch" in seen


# ── the wheel ─────────────────────────────────────────────────────────────────────────────────────


def test_the_wheel_is_whole():
    path = built("gilscope-*.whl")
    name = f"gilscope-{version()}"
    cpu = os.uname().machine
    assert (
        path.name
        == f"{name}-py3-none-manylinux_2_17_{cpu}.manylinux2014_{cpu}.musllinux_1_1_{cpu}.whl"
    )
    with zipfile.ZipFile(path) as archive:
        record = {
            row[0]: row[1:]
            for row in csv.reader(archive.read(f"{name}.dist-info/RECORD").decode().splitlines())
        }
        assert set(record) == set(archive.namelist())
        for entry, (digest, size) in record.items():
            content = archive.read(entry)
            if not entry.endswith("/RECORD"):
                want = (
                    "sha256="
                    + base64.urlsafe_b64encode(hashlib.sha256(content).digest())
                    .rstrip(b"=")
                    .decode()
                )
                assert (digest, int(size)) == (want, len(content)), entry
        program = archive.getinfo(f"{name}.data/scripts/gilscope")
        assert (
            program.external_attr >> 16 & 0o777 == 0o755
            and archive.read(program) == STATIC.read_bytes()
        )
        tags = re.findall(
            r"^Tag: py3-none-(.*)$", archive.read(f"{name}.dist-info/WHEEL").decode(), re.M
        )
        assert ".".join(tags) in path.name and len(tags) == 3
        metadata = archive.read(f"{name}.dist-info/METADATA").decode()
    assert f"\nVersion: {version()}\n" in metadata and metadata.endswith(
        (roots.ROOT / "README.md").read_text()
    )


def test_the_same_source_makes_the_same_wheel(tmp_path):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    for name in ("a", "b"):
        subprocess.run(
            [
                sys.executable,
                roots.ROOT / "packaging/wheel",
                roots.BUILD,
                "x86_64",
                "1.2.3",
                tmp_path / name,
            ],
            check=True,
            env=environment,
            capture_output=True,
        )
    (first,), (second,) = (tmp_path / "a").iterdir(), (tmp_path / "b").iterdir()
    assert first.name == second.name and first.read_bytes() == second.read_bytes()


def test_pip_installs_the_wheel_and_removes_it(tmp_path):
    # Debian keeps here the pip that venv would unpack into every environment
    pips = glob.glob("/usr/share/python-wheels/pip-*.whl")
    if not pips:
        pytest.skip("python3-venv is not installed")
    venv, environment = tmp_path / "venv", {**os.environ, "PYTHONPATH": pips[0]}
    subprocess.run([harness.DEBIAN_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    before = set(files(venv))
    pip = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "-q", "--no-index", built("*.whl")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (
        subprocess.run([venv / "bin/gilscope", "--version"], capture_output=True, text=True).stdout
        == f"gilscope {version()}\n"
    )
    assert (venv / "share/man/man1/gilscope-attach.1").exists() and (
        venv / "share/bash-completion/completions/gilscope"
    ).exists()
    subprocess.run(
        [*pip, "uninstall", "-q", "-y", "gilscope"],
        env=environment,
        check=True,
        capture_output=True,
    )
    assert not [name for name in set(files(venv)) - before if "__pycache__" not in name]


# ── the Debian package, install and uninstall ─────────────────────────────────────────────────────


def test_the_package_depends_on_nothing_and_brings_everything(tmp_path):
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    package = built("gilscope_*.deb")
    fields = subprocess.run(
        ["dpkg-deb", "-f", package], capture_output=True, text=True, check=True
    ).stdout
    assert (
        f"Version: {version()}-1\n" in fields
        and "\nDepends:" not in fields
        and "libbpf (= " in fields
    )
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    assert (tmp_path / "usr/bin/gilscope").read_bytes() == STATIC.read_bytes()
    commands = subprocess.run(
        [STATIC, "--commands"], capture_output=True, text=True, check=True
    ).stdout.split()
    pages = {
        f"usr/share/man/man1/gilscope{suffix}.1.gz"
        for suffix in ["", *(f"-{command}" for command in commands)]
    }
    completion = {
        "usr/share/bash-completion/completions/gilscope",
        "usr/share/zsh/vendor-completions/_gilscope",
        "usr/share/fish/vendor_completions.d/gilscope.fish",
    }
    documents = {
        f"usr/share/doc/gilscope/{name}"
        for name in ("copyright", "third-party.txt.gz", "changelog.gz", "changelog.Debian.gz")
    }
    assert set(files(tmp_path)) == pages | completion | documents | {
        "usr/bin/gilscope",
        "usr/share/lintian/overrides/gilscope",
    }


def test_lintian_has_nothing_to_say():
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    done = subprocess.run(["lintian", built("gilscope_*.deb")], capture_output=True, text=True)
    # the project has no public mail address; DEBEMAIL gives the package one
    said = [
        line
        for line in done.stdout.splitlines()
        if "bogus-mail-host" not in line and not line.startswith("N:")
    ]
    assert not said


def test_uninstall_removes_what_install_put(tmp_path):
    other = tmp_path / "usr/local/share/man/man1/gilscope-notes.1"
    other.parent.mkdir(parents=True)
    other.touch()
    for target in ("install", "uninstall"):
        done = make(target, DESTDIR=tmp_path)
        assert done.returncode == 0, done.stderr
        if target == "install":
            assert {
                "usr/local/bin/gilscope",
                "usr/local/share/man/man1/gilscope-top.1",
                "usr/local/share/zsh/site-functions/_gilscope",
            } <= set(files(tmp_path))
    assert files(tmp_path) == [str(other.relative_to(tmp_path))]
    again = make("uninstall", DESTDIR=tmp_path)
    assert again.returncode != 0 and "PREFIX" in again.stderr


# ── the image ─────────────────────────────────────────────────────────────────────────────────────


@needs_root
def test_the_image_holds_the_program_and_it_runs(tmp_path):
    if not shutil.which("buildah"):
        pytest.skip("buildah is not installed")
    storage = [
        "--root",
        tmp_path / "root",
        "--runroot",
        tmp_path / "run",
        "--storage-driver",
        "vfs",
    ]
    flags = " ".join(map(str, [*storage, "--isolation", "chroot"]))
    done = make("image", IMAGE_TOOL="buildah", IMAGE_FLAGS=flags)
    assert done.returncode == 0, done.stderr

    def buildah(*words):
        return subprocess.run(
            ["buildah", *storage, *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    container = buildah("from", "--pull-never", "localhost/gilscope:latest")
    entry = json.loads(buildah("inspect", container))["OCIv1"]["config"]["Entrypoint"]
    root = tmp_path / "copy"
    shutil.copytree(buildah("mount", container), root)
    buildah("umount", container)
    assert files(root) == [
        "usr/bin/gilscope",
        *(f"usr/share/doc/gilscope/{name}" for name in ("LICENSE", "copyright", "third-party.txt")),
    ]
    for name in ("proc", "sys"):
        (root / name).mkdir()  # a container runtime creates these
    assert_doctor(roots.run(root, *entry, "doctor"))
