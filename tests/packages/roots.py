# SPDX-License-Identifier: MIT
"""Folders that serve as / for programs: one that contains only a program, and bare Debian releases,
kept below build/packages."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("B", "build")
PACKAGES = BUILD / "packages"
# The mounts are visible only to the command, and disappear with it. exec keeps the PID.
INTO = 'mount -t proc proc "$0/proc" && mount -t sysfs sys "$0/sys" && exec chroot "$0" "$@"'


def inside(root, *command):
    """The command line that runs a command in the root."""
    return ("unshare", "--mount", "sh", "-c", INTO, str(root), *map(str, command))


def run(root, *command, **options):
    return subprocess.run(
        inside(root, *command), capture_output=True, text=True, timeout=600, **options
    )


def scratch(folder, program):
    """A root with the program at /gilscope and nothing else. Debian has no musl system; to a static
    program it looks like this."""
    for name in ("proc", "sys", "out"):
        (folder / name).mkdir()
    shutil.copy(program, folder / "gilscope")
    return folder


def mirror():
    with open("/etc/apt/sources.list.d/debian.sources") as file:
        return next(line.split()[1] for line in file if line.startswith("URIs:"))


def debian(suite):
    """A minimal root of that release with python3 and its venv module, made once. Raises
    RuntimeError with the reason if that fails."""
    folder = PACKAGES / f"root-{suite}"
    if not (folder / ".complete").exists():
        if not shutil.which("debootstrap"):
            raise RuntimeError("debootstrap is not installed")
        shutil.rmtree(folder, ignore_errors=True)
        PACKAGES.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            [
                "debootstrap",
                "--variant=minbase",
                "--include=python3,python3-venv",
                suite,
                folder,
                mirror(),
            ],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            raise RuntimeError(f"debootstrap: {(made.stdout.strip().splitlines() or ['?'])[-1]}")
        (folder / ".complete").touch()
    return folder


def web(root):
    """Installs FastAPI and uvicorn from PyPI into /opt/web of a Debian root, once. Raises
    RuntimeError with the reason if that fails."""
    folder = root / "opt/web"
    if (folder / ".complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    # PyPI is reached in the same way as from this system
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    for name in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)
    for words in (
        ["/usr/bin/python3", "-m", "venv", "/opt/web"],
        ["/opt/web/bin/pip", "install", "-q", "fastapi", "uvicorn[standard]"],
    ):
        made = run(
            root, *words, env={**os.environ, "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt"}
        )
        if made.returncode != 0:
            raise RuntimeError(f"{words[0]}: {(made.stderr.strip().splitlines() or ['?'])[-1]}")
    (folder / ".complete").touch()
