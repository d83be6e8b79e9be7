# SPDX-License-Identifier: MIT
"""The packages in bare Debian releases without a compiler, where Python is theirs. Only with --roots (make check-packages): the roots take minutes."""
import shutil

import pytest

import roots
from test_packages import STATIC, Blocking, assert_doctor, attach, built, needs_root, on_a_terminal, read_all, version


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
    (folder / "out").mkdir()
    for package in (STATIC, built("*.whl"), built("*.deb")):
        shutil.copy(package, folder / "tmp")
    assert roots.run(folder, "sh", "-c", "command -v cc gcc clang bpftool make").stdout == "", "the root is not bare"
    return folder


def try_all(root, program):
    """doctor, attach, top, and every reader, with the release's own Python as the target."""
    with Blocking(root) as app:
        assert_doctor(roots.run(root, program, "doctor", app.pid))
        attach(roots.inside(root, program), app)
        # the release's own descriptions of terminals and of UTF-8, which are not those of the C library that is in the program
        seen, status = on_a_terminal(roots.inside(root, program, "top", app.pid), "xterm-256color", b"THREADS", "C.UTF-8")
        assert status == 0 and any(character > "\u2000" for character in seen.decode(errors="replace") if character != "\ufffd"), seen
    shutil.copy(roots.ROOT / "tests/golden/blame.script", root / "tmp")
    read_all(root, program, "/tmp/blame.script")


@needs_root
def test_the_static_file(root):
    try_all(root, "/tmp/gilscope-static")


@needs_root
def test_the_debian_package(root):
    done = roots.run(root, "dpkg", "-i", f"/tmp/{built('*.deb').name}")
    assert done.returncode == 0, done.stderr
    try_all(root, "/usr/bin/gilscope")
    candidates = roots.run(root, "bash", "-c", "source /usr/share/bash-completion/completions/gilscope; COMP_WORDS=(gilscope at); COMP_CWORD=1; "
                                               "_gilscope gilscope; echo ${COMPREPLY[@]}")
    assert candidates.stdout == "attach\n"
    done = roots.run(root, "dpkg", "-P", "gilscope")
    assert done.returncode == 0 and not (root / "usr/bin/gilscope").exists()


@needs_root
def test_the_wheel(root):
    program = "/opt/venv/bin/gilscope"
    for words in (["/usr/bin/python3", "-m", "venv", "/opt/venv"], ["/opt/venv/bin/pip", "install", "-q", "--no-index", f"/tmp/{built('*.whl').name}"]):
        done = roots.run(root, *words)
        assert done.returncode == 0, done.stderr
    assert roots.run(root, program, "--version").stdout == f"gilscope {version()}\n"
    try_all(root, program)
