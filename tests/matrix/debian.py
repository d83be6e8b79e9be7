# SPDX-License-Identifier: MIT
"""Packages of other suites and architectures of Debian, from the mirror that this system itself
uses. The system's own apt is left as it is."""

import glob
import os
import re
import subprocess
import time

LISTS_LAST_S = 86400
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Missing(Exception):
    """Something that cannot be had here; the text says what, and what to do."""


def run(command, **options):
    """Its standard output. Missing, with the last line of what it said, when it fails or is not
    installed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **options,
        )
    except FileNotFoundError:
        raise Missing(f"{command[0]} is not installed; run tools/install-deps matrix") from None
    if done.returncode != 0:
        said = (
            done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        ).splitlines()
        raise Missing(f"{os.path.basename(command[0])}: {said[-1]}")
    return done.stdout


def mirror():
    """Of the sources that apt has, in the form of Debian 13 (a file of paragraphs) or the older one
    (lines)."""
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if not os.path.isfile(path):
            continue
        with open(path) as file:
            found = re.search(
                r"^(?:URIs:|deb(?: \[.*?\])?) *(\S+/debian)/?(?: |$)", file.read(), re.MULTILINE
            )
        if found:
            return found[1]
    raise Missing("apt has no mirror of Debian in /etc/apt/sources.list.d")


def codename():
    """The suite this system is made of."""
    with open("/etc/os-release") as file:
        found = re.search(r"^VERSION_CODENAME=(\S+)", file.read(), re.MULTILINE)
    return found[1] if found else "unstable"


def architecture():
    """Debian's name of this machine's."""
    return run(["dpkg", "--print-architecture"]).strip()


def made(path, packages):
    """Whether that file, which is written last, says that a root was made with these packages."""
    if not os.path.exists(path):
        return False
    with open(path) as file:
        return file.read() == packages


def version_key(text):
    return tuple(int(part) for part in re.findall(r"\d+", text))


class Archive:
    """One suite for one architecture, with lists and a cache below `folder`. `kind`: "deb-src" for
    its sources."""

    def __init__(self, folder, suite, architecture, kind="deb"):
        self._folder = os.path.join(os.path.abspath(folder), f"{suite}-{architecture}" + kind[3:])
        self._options = [
            f"-oDir::{name}={os.path.join(self._folder, place)}"
            for name, place in (
                ("State::Lists", "lists"),
                ("State::status", "status"),
                ("Cache", "cache"),
                ("Etc::SourceList", "sources.list"),
            )
        ]
        self._options += [
            f"-oDir::Etc::{name}=/dev/null"
            for name in ("SourceParts", "Preferences", "PreferencesParts")
        ]
        self._options += [
            f"-oAPT::Architecture={architecture}",
            f"-oAPT::Architectures::={architecture}",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Languages=none",
            "-oAcquire::Check-Valid-Until=false",
            "-qq",
        ]
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self._folder, name), exist_ok=True)
        with open(os.path.join(self._folder, "status"), "a"):
            pass
        with open(os.path.join(self._folder, "sources.list"), "w") as file:
            file.write(f"{kind} [signed-by={KEYRING}] {mirror()} {suite} main\n")
        lists = os.path.join(self._folder, "lists")
        if len(os.listdir(lists)) < 3 or time.time() - os.path.getmtime(lists) > LISTS_LAST_S:
            run(["apt-get", *self._options, "update"])
            os.utime(lists)

    def names(self, begin):
        return run(["apt-cache", *self._options, "pkgnames", begin]).split()

    def unpack(self, names, folder):
        """The files of these packages, without installing them."""
        debs = os.path.join(self._folder, "debs")
        os.makedirs(debs, exist_ok=True)
        for name in names:
            before = set(os.listdir(debs))
            run(["apt-get", *self._options, "download", name], cwd=debs)
            (deb,) = set(os.listdir(debs)) - before
            run(["dpkg-deb", "-x", os.path.join(debs, deb), folder])
            os.remove(os.path.join(debs, deb))

    def source(self, name, folder):
        """Downloads the source of this package into the folder: the path of the archive its authors
        published."""
        run(["apt-get", *self._options, "source", "--download-only", name], cwd=folder)
        found = glob.glob(os.path.join(folder, "*.orig.tar.*"))
        (archive,) = (path for path in found if not path.endswith(".asc"))  # its signature
        return archive
