# SPDX-License-Identifier: MIT
"""The packages in bare Debian releases without a compiler, with the release's own Python. Only with
--roots (make check-packages), since making the roots takes minutes."""

import gzip
import shutil

import pytest

import roots
from test_packages import (
    STATIC,
    Blocking,
    Served,
    assert_doctor,
    attach,
    built,
    files,
    needs_root,
    read_all,
    record,
    top_under_its_filter,
    version,
)


@pytest.fixture(scope="module", params=["bullseye", "bookworm", "trixie"])
def root(request):
    if not request.config.getoption("--roots"):
        pytest.skip("takes minutes: make check-packages")
    try:
        folder = roots.debian(request.param)
    except RuntimeError as reason:
        pytest.skip(f"no root of {request.param}: {reason}")
    for name in ("out", "opt/venv"):
        shutil.rmtree(folder / name, ignore_errors=True)
    roots.run(folder, "dpkg", "-P", "gilscope")  # left by a run that was killed
    (folder / "out").mkdir()
    for package in (STATIC, built("*.whl"), built("*.deb")):
        shutil.copy(package, folder / "tmp")
    assert roots.run(folder, "sh", "-c", "command -v cc gcc clang bpftool make").stdout == "", (
        "the root is not bare"
    )
    return folder


def try_all(root, program):
    """doctor, attach, record, top, and every reader, with the release's own Python as the
    target."""
    with Blocking(root) as app:
        assert_doctor(roots.run(root, program, "doctor", app.pid))
        attach(roots.inside(root, program), app)
        record(root, program, app)
        # the release's own terminal descriptions and UTF-8 locale, not those of the C library in
        # the program
        seen = top_under_its_filter(root, program, app, "xterm-256color", "C.UTF-8")
        assert any(
            character > "\u2000"
            for character in seen.decode(errors="replace")
            if character != "\ufffd"
        ), seen
    read_all(root, program, "/out/here.gsc")


def kept_files(root):
    """The files in a root, except those written by use: the package manager's database and logs,
    compiled Python."""
    written = ("proc", "sys", "dev", "tmp", "out", "var/lib/dpkg", "var/log")
    return {
        name for name in files(root) if not name.startswith(written) and "__pycache__" not in name
    }


@needs_root
def test_the_static_file(root):
    try_all(root, "/tmp/gilscope-static")


@needs_root
def test_the_debian_package(root):
    before = kept_files(root)
    done = roots.run(root, "dpkg", "-i", f"/tmp/{built('*.deb').name}")
    assert done.returncode == 0, done.stderr
    try_all(root, "/usr/bin/gilscope")
    candidates = roots.run(
        root,
        "bash",
        "-c",
        "source /usr/share/bash-completion/completions/gilscope; COMP_WORDS=(gilscope at); "
        "COMP_CWORD=1; "
        "_gilscope gilscope; echo ${COMPREPLY[@]}",
    )
    assert candidates.stdout == "attach\n"
    # minimal images omit manual pages (dpkg's path-exclude), a bare root of debootstrap does not
    assert gzip.decompress(
        (root / "usr/share/man/man1/gilscope-attach.1.gz").read_bytes()
    ).startswith(b".TH")
    done = roots.run(root, "dpkg", "-P", "gilscope")
    assert done.returncode == 0 and kept_files(root) == before


@needs_root
def test_the_wheel(root):
    program = "/opt/venv/bin/gilscope"
    done = roots.run(root, "/usr/bin/python3", "-m", "venv", "/opt/venv")
    assert done.returncode == 0, done.stderr
    before = kept_files(root)
    done = roots.run(
        root, "/opt/venv/bin/pip", "install", "-q", "--no-index", f"/tmp/{built('*.whl').name}"
    )
    assert done.returncode == 0, done.stderr
    assert roots.run(root, program, "--version").stdout == f"gilscope {version()}\n"
    assert {
        "share/man/man1/gilscope-attach.1",
        "share/bash-completion/completions/gilscope",
    } <= set(files(root / "opt/venv"))
    try_all(root, program)
    assert roots.run(root, "/opt/venv/bin/pip", "uninstall", "-q", "-y", "gilscope").returncode == 0
    assert kept_files(root) == before


@needs_root
def test_a_web_application_from_pypi(root):
    try:
        roots.web(root)
    except RuntimeError as reason:
        pytest.skip(f"FastAPI cannot be had from PyPI: {reason}")
    with Served(root) as app:
        assert_doctor(roots.run(root, "/tmp/gilscope-static", "doctor", app.pid))
        attach(roots.inside(root, "/tmp/gilscope-static"), app)
        record(root, "/tmp/gilscope-static", app)
        top_under_its_filter(root, "/tmp/gilscope-static", app)
