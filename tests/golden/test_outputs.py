# SPDX-License-Identifier: MIT
"""Files that commands write: whole or not at all, never through a link, never over the input, by
one writer at a time."""

import fcntl
import os
import signal
import stat
import subprocess
import time

import pytest

from test_golden import EXIT_OK, GILSCOPE, CASES

SCRIPT = CASES / "blame.script"
COMMANDS = {"export": ["export", "--format", "trace"], "timeline": ["timeline"], "flame": ["flame"]}


def run(*arguments, **kwargs):
    return subprocess.run(
        [GILSCOPE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **kwargs,
    )


@pytest.fixture(params=COMMANDS, name="command")
def each_command(request):
    return COMMANDS[request.param]


@pytest.fixture(name="place")
def old_file(tmp_path):
    path = tmp_path / "out.html"
    path.write_text("old")
    return path


def assert_untouched(place, result, words):
    assert result.returncode not in (EXIT_OK, 5) and words in result.stderr.decode(), result.stderr
    assert place.read_text() == "old"


def test_a_file_is_replaced_by_a_whole_one(command, place):
    assert run(*command, SCRIPT, "-o", place).returncode == EXIT_OK
    assert os.listdir(place.parent) == [place.name] and place.stat().st_size > 100
    if os.geteuid() == 0:
        assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_nothing_is_written_through_a_link(command, place):
    link = place.with_name("link.html")
    link.symlink_to(place.name)
    assert_untouched(
        place,
        run(*command, SCRIPT, "-o", link),
        "is a symbolic link, and nothing is written through one",
    )
    assert link.is_symlink()
    link.unlink()
    link.with_name("link.html.partial").symlink_to(place.name)
    assert run(*command, SCRIPT, "-o", link).returncode == EXIT_OK
    assert place.read_text() == "old" and not link.is_symlink() and link.stat().st_size > 100


def test_what_is_read_is_not_written_over(command, tmp_path):
    recording = tmp_path / "recording.html"
    recording.write_bytes(SCRIPT.read_bytes())
    (tmp_path / "same.html").hardlink_to(recording)
    for name in ("recording.html", "same.html"):
        result = run(*command, recording, "-o", tmp_path / name)
        assert result.returncode == 2 and b"is the file that is read" in result.stderr
    with open(recording, "rb") as source:
        assert run(*command, "-", "-o", recording, stdin=source).returncode == 2
    assert recording.read_bytes() == SCRIPT.read_bytes() and len(os.listdir(tmp_path)) == 2


def test_the_second_writer_is_refused(command, place):
    partial = place.with_name(place.name + ".partial")
    partial.write_text("the first one's")
    with open(partial, "rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        assert_untouched(place, run(*command, SCRIPT, "-o", place), "another process is writing")
        assert partial.read_text() == "the first one's"
    # the lock of a killed process is gone
    assert (
        run(*command, SCRIPT, "-o", place).returncode == EXIT_OK
        and not partial.exists()
        and place.stat().st_size > 100
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_old_file_and_nothing_else(command, place, number):
    with subprocess.Popen(
        [GILSCOPE, *command, "-", "-o", place], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        process.stdin.write(SCRIPT.read_bytes()[:300])
        process.stdin.flush()
        end = time.monotonic() + 30
        while not place.with_name(place.name + ".partial").exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(30) == -number
    assert os.listdir(place.parent) == [place.name] and place.read_text() == "old"


def test_a_failure_leaves_the_old_file_and_nothing_else(command, place):
    assert_untouched(
        place, run(*command, "-", "-o", place, input=b"GILSCOPE, but no trace at all"), ""
    )
    assert_untouched(
        place, run(*command, place.with_name("missing.gsc"), "-o", place), "cannot open"
    )
    assert os.listdir(place.parent) == [place.name]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(command, tmp_path):
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4k", "none", tmp_path],
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
    ):
        pytest.skip("cannot mount a small file system")
    try:
        place = tmp_path / "out.html"
        place.write_text("old")
        assert_untouched(place, run(*command, SCRIPT, "-o", place), "No space left on device")
        assert os.listdir(tmp_path) == ["out.html"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_pipes_and_devices_are_written_as_it_comes(command, tmp_path):
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [GILSCOPE, *command, SCRIPT, "-o", pipe], stderr=subprocess.DEVNULL
    ) as process:
        assert len(pipe.read_bytes()) > 100
    assert process.returncode == EXIT_OK and os.listdir(tmp_path) == ["pipe.html"]
    if command != ["flame"]:
        assert run(*command, SCRIPT, "-o", "/dev/null").returncode == EXIT_OK
        assert len(run(*command, SCRIPT, "-o", "/dev/stdout").stdout) > 100


# Intercepts calls to libc, to do at that moment what another process could do.
INTRUDER = r"""
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int flock(int fd, int operation)
{
	const char *partial = getenv("REPLACED_PARTIAL");
	static int done;

	if (partial && !done++) {
		unlink(partial);
		close(open(partial, O_CREAT | O_EXCL | O_WRONLY, 0600));
	}
	if (getenv("SIGNALLED"))
		raise(atoi(getenv("SIGNALLED")));
	return (int)syscall(SYS_flock, fd, operation);
}

int fsync(int fd)
{
	errno = EDQUOT;
	return getenv("FULL") ? -1 : (int)syscall(SYS_fsync, fd);
}

int lstat(const char *path, struct stat *there)
{
	const char *linked = getenv("LINKED");
	int ret = fstatat(AT_FDCWD, path, there, AT_SYMLINK_NOFOLLOW);

	if (linked && !strcmp(path, linked)) {
		unlink(path);
		ret |= symlink("out.html", path);
	}
	return ret;
}
"""


@pytest.fixture(name="intruded", scope="module")
def intruder(tmp_path_factory):
    library = tmp_path_factory.mktemp("intruder") / "intruder.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library],
        input=INTRUDER.encode(),
        check=True,
    )
    return lambda **environment: {**os.environ, "LD_PRELOAD": str(library), **environment}


def test_a_pipe_that_becomes_a_link_is_not_written_through(command, place, intruded):
    pipe = place.with_name("pipe.html")
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDWR), "rb"):
        assert_untouched(
            place,
            run(*command, SCRIPT, "-o", pipe, env=intruded(LINKED=str(pipe))),
            "cannot create",
        )
    assert pipe.is_symlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_as_the_file_is_made_leaves_nothing_else(command, place, intruded, number):
    outcome = run(*command, SCRIPT, "-o", place, env=intruded(SIGNALLED=str(int(number))))
    assert outcome.returncode == -number
    assert os.listdir(place.parent) == [place.name] and place.read_text() == "old"


def test_a_late_refusal_leaves_the_old_file(command, place, intruded):
    assert_untouched(place, run(*command, SCRIPT, "-o", place, env=intruded(FULL="1")), "quota")


@pytest.mark.parametrize("stale", [True, False], ids=["removes a stale file", "makes a file"])
def test_what_another_writer_has_just_made_is_left_alone(command, place, intruded, stale):
    partial = place.with_name(place.name + ".partial")
    if stale:
        partial.touch()
    assert_untouched(
        place,
        run(*command, SCRIPT, "-o", place, env=intruded(REPLACED_PARTIAL=str(partial))),
        "another process is writing",
    )
    assert partial.stat().st_size == 0


def test_a_recording_that_cannot_begin_leaves_the_old_one(place):
    result = run("record", "-o", place, "-p", "4194304")
    assert_untouched(place, result, "gilscope: ")
    assert os.listdir(place.parent) == [place.name]
    link = place.with_name("gilscope.gsc")
    link.symlink_to(place.name)
    assert_untouched(
        place,
        run("record", "-o", "gilscope.gsc", "-p", "4194304", cwd=place.parent),
        "is a symbolic link, and nothing is written through one",
    )
    link.unlink()
    partial = place.with_name(place.name + ".partial")
    with open(partial, "w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        assert_untouched(
            place, run("record", "-o", place, "-p", "4194304"), "another process is writing"
        )
