# SPDX-License-Identifier: MIT
"""Every refusal gives its true reason, and what could not be checked is "not checked": as user
nobody, as root of a user namespace, without /sys, and with few descriptors."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import pytest

import harness

pytestmark = pytest.mark.beside

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
USER_NAMESPACE = ("unshare", "--user", "--map-root-user")
NO_SYS = ("unshare", "--mount", "sh", "-c", 'umount -l /sys && exec "$@"', "-")
# without CAP_SYS_RESOURCE, so that root cannot raise the limit
FEW_FILES = (
    "prlimit",
    "--nofile=20:20",
    "setpriv",
    "--bounding-set",
    "-sys_resource",
    "--inh-caps",
    "-sys_resource",
)


@pytest.fixture(scope="module")
def gilscope():
    """A copy of gilscope that every user may execute."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield shutil.copy(harness.GILSCOPE, directory)


def ask(gilscope, prefix, *arguments):
    if (
        prefix is USER_NAMESPACE
        and subprocess.run([*prefix, "true"], capture_output=True).returncode
    ):
        pytest.skip("no user namespace can be made here, as in a chroot")
    return subprocess.run(
        [*prefix, gilscope, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def doctor(gilscope, prefix, *arguments):
    run = ask(gilscope, prefix, "doctor", "--json", *arguments)
    assert run.stderr == "", "libbpf must not speak for itself"
    result = json.loads(run.stdout)
    assert result["works"] == (run.returncode == 0)
    for feature in result["features"]:
        assert feature["available"] == (feature["state"] == "ok")
        assert feature["state"] != ("no" if not feature["required"] else "absent")
    return run.returncode, {feature["name"]: feature for feature in result["features"]}, result


def attach(gilscope, prefix, pid):
    run = ask(gilscope, prefix, "attach", str(pid), "-d", "100ms")
    assert "libbpf" not in run.stderr
    return run.returncode, run.stderr


def states(features, state):
    return {name for name, feature in features.items() if feature["state"] == state}


def test_as_root_everything_is_available(gilscope, sleeper):
    status, features, result = doctor(gilscope, (), str(sleeper.pid))
    assert status == 0 and features["BPF programs"]["found"] == "accepted", result
    assert not states(features, "not_checked")
    assert (
        features["rights given up"]["found"]
        == "all but SYS_PTRACE, DAC_READ_SEARCH, CHECKPOINT_RESTORE"
    )


def test_safeguards_are_reported_as_they_are(gilscope):
    """With fewer capabilities, and a kernel without seccomp, doctor claims no more than it
    knows."""
    caps = "-all,+dac_read_search,+sys_ptrace,+bpf,+perfmon"
    _, features, _ = doctor(gilscope, ("setpriv", "--bounding-set", caps))
    assert (
        features["rights given up"]["found"]
        == "all but SYS_PTRACE, DAC_READ_SEARCH; the bounding set stays (no CAP_SETPCAP)"
    )
    assert features["system call filter"]["state"] == "ok"
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace is not installed")
    for error, state in (("EPERM", "not_checked"), ("ENOSYS", "absent")):
        done = subprocess.run(
            [
                strace,
                "-qq",
                "-e",
                f"inject=seccomp:error={error}",
                "-o",
                "/dev/null",
                gilscope,
                "doctor",
                "--json",
            ],
            capture_output=True,
            text=True,
        )
        found = {feature["name"]: feature for feature in json.loads(done.stdout)["features"]}[
            "system call filter"
        ]
        assert found["state"] == state and not found["available"], found


@pytest.mark.parametrize(
    "prefix, reason", [(NOBODY, "missing: CAP_BPF"), (USER_NAMESPACE, "of a user namespace")]
)
def test_without_capabilities(gilscope, sleeper, prefix, reason):
    status, features, result = doctor(gilscope, prefix)
    assert status == 3 and reason in result["problem"]["what"]
    assert states(features, "no") == {"capabilities"}
    assert {"BPF ring buffer", "BPF programs"} <= states(features, "not_checked")
    status, said = attach(gilscope, prefix, sleeper.pid)
    assert status == 3 and reason in said and "5.8" not in said
    run = ask(gilscope, prefix, "dump", str(sleeper.pid))
    assert (run.returncode, run.stderr, run.stdout) == (status, said, "")
    assert (
        "??  BPF ring buffer    not checked (not permitted)"
        in ask(gilscope, prefix, "doctor").stdout
    )


def test_without_sys(gilscope, sleeper):
    status, features, result = doctor(gilscope, NO_SYS)
    assert status == 1 and "/sys is not mounted" in result["problem"]["what"]
    assert states(features, "no") == {"kernel BTF"}
    assert {"scheduler events", "thread events", "epoll waits", "uprobes"} <= states(
        features, "not_checked"
    )
    status, said = attach(gilscope, NO_SYS, sleeper.pid)
    assert status == 1 and "/sys is not mounted" in said


def test_without_descriptors(gilscope, sleeper):
    status, features, result = doctor(gilscope, FEW_FILES)
    assert status == 1 and "the limit of open files is 20" in result["problem"]["what"]
    assert states(features, "no") == {"BPF programs"}
    status, said = attach(gilscope, FEW_FILES, sleeper.pid)
    assert status == 1 and "the limit of open files is 20" in said and "ulimit -n" in said


def test_a_process_that_must_not_be_read(gilscope):
    """A process of an outer user namespace: gilscope has the capability, but it has no effect
    there."""
    with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(60)") as app:
        run = ask(gilscope, USER_NAMESPACE, "doctor", "--json", str(app.pid))
        text = ask(gilscope, USER_NAMESPACE, "doctor", str(app.pid)).stdout
    assert run.returncode == 3
    assert f"of process {app.pid}, although gilscope has CAP_SYS_PTRACE" in text
    assert "CAP_SYS_PTRACE is missing" not in text


def has_loaded(process):
    """gilscope has loaded its programs and polls the ring. Next it examines the target and sets the
    probes."""
    with contextlib.suppress(OSError):
        return any(
            os.readlink(f"/proc/{process.pid}/fd/{fd}") == "anon_inode:[eventpoll]"
            for fd in os.listdir(f"/proc/{process.pid}/fd")
        )
    return False


def test_a_target_that_ends_while_probes_are_set(gilscope):
    """The target is killed a little later in each run; the message must be the same every time."""
    said = set()
    for step in range(30):
        with harness.Script("print('ready', flush=True)\nimport time\ntime.sleep(600)") as app:
            run = subprocess.Popen(
                [gilscope, "attach", str(app.pid), "-d", "50ms"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            while run.poll() is None and not has_loaded(run):
                time.sleep(0.001)
            time.sleep(0.002 * step)
            app.process.kill()
            app.process.wait()
            _, error = run.communicate(timeout=60)
        for wrong in (
            "No such file",
            "CAP_",
            "cannot set",
            "No such process",
            "cannot begin",
            "libbpf",
        ):
            assert wrong not in error, (step, error)
        said.add(error.split("\n")[0].replace(str(app.pid), "PID"))
    assert any(
        "exited while the probes were set" in line or "ended while it was examined" in line
        for line in said
    ), said
