# SPDX-License-Identifier: MIT
"""What make detects before it builds: a bpftool that works, and the target machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# like Ubuntu's: a script that refuses when the package for the running kernel is not installed
WRAPPER = '#!/bin/sh\necho "WARNING: bpftool not found for kernel 6.8.0-45" >&2\nexit 2\n'
OLD = (
    '#!/bin/sh\n[ "$1" = version ] && echo bpftool v5.4\n'
    'echo "Usage: bpftool gen skeleton FILE" >&2\n'
)


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("text", [WRAPPER, OLD], ids=["wrapper", "too old"])
def test_a_bpftool_that_does_not_work_is_passed_over(tmp_path, text):
    program(tmp_path / "bpftool", text)
    done = subprocess.run(
        [ROOT / "tools/find-bpftool"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and Path(done.stdout.strip()).parent != tmp_path, done
    assert "object" in "".join(
        subprocess.run(
            [done.stdout.strip(), "gen", "help"], capture_output=True, text=True, check=False
        ).stderr
    )


@pytest.mark.skipif(not shutil.which("unshare") or os.geteuid(), reason="needs a mount namespace")
def test_the_one_of_linux_tools_is_found_or_the_packages_are_named(tmp_path):
    """Ubuntu's layout: the wrapper is where the program should be, and the program below
    /usr/lib/linux-tools-VERSION; then the same without the program."""
    found = subprocess.run(
        [ROOT / "tools/find-bpftool"], capture_output=True, text=True, check=True
    ).stdout.strip()
    program(tmp_path / "wrapper", WRAPPER)
    script = f"""mount --make-rprivate / &&
mkdir {tmp_path}/up {tmp_path}/work && mount -t tmpfs none {tmp_path}/up &&
mkdir {tmp_path}/up/up {tmp_path}/up/work
cp {found} {tmp_path}/up/real && mount -t overlay \\
  -o lowerdir=/usr/lib,upperdir={tmp_path}/up/up,workdir={tmp_path}/up/work none /usr/lib || exit 77
mkdir -p /usr/lib/linux-tools-6.8.0-31 &&
cp {tmp_path}/up/real /usr/lib/linux-tools-6.8.0-31/bpftool
for place in /usr/sbin /usr/bin /usr/local/sbin; do
  [ ! -e $place/bpftool ] || mount --bind {tmp_path}/wrapper $place/bpftool
done
{ROOT}/tools/find-bpftool; rm /usr/lib/linux-tools-6.8.0-31/bpftool; {ROOT}/tools/find-bpftool"""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("no overlay can be mounted here")
    assert done.stdout == "/usr/lib/linux-tools-6.8.0-31/bpftool\n" and done.returncode == 1, done
    assert "apt install linux-tools-generic" in done.stderr


@pytest.mark.parametrize(
    "machine, architecture", [("aarch64-linux-gnu", "arm64"), ("x86_64-linux-gnu", "x86")]
)
def test_the_probes_are_built_for_the_compilers_target(tmp_path, machine, architecture):
    program(tmp_path / "cc", f'#!/bin/sh\n[ "$1" != -dumpmachine ] || echo {machine}\n')
    said = subprocess.run(
        ["make", "-s", "--eval=said: ; @echo $(BPF_ARCH)", f"CC={tmp_path}/cc", "said"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == f"{architecture}\n", said
