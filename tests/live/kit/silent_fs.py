#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A FUSE file system of one file, `python3`, that stops answering on command.

usage: silent_fs.py MOUNTPOINT FILE

A line on standard input names the requests that are no longer answered: `getattr`, `open`, `read`,
`flush`. A word with a number, `read 40`, means from the 40th such request on. An unanswered request
has been read from /dev/fuse, so the process that made it cannot even be killed. The program, and
with it the file system, ends when standard input ends.
"""

import ctypes
import errno
import os
import struct
import sys
import threading

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = (
    1,
    2,
    3,
    14,
    15,
    18,
    25,
    26,
    36,
    42,
)
NAMES = {"getattr": GETATTR, "open": OPEN, "read": READ, "flush": FLUSH}
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)
mountpoint, path = sys.argv[1:]
file = os.open(path, os.O_RDONLY)
size = os.fstat(file).st_size
answers_left = {}  # request: how many more are answered


def attributes(node):
    mode, length = (0o40755, 0) if node == 1 else (0o100755, size)
    return struct.pack(
        "<QQQQQQIIIIIIIIII",
        node,
        length,
        length + 511 >> 9,
        0,
        0,
        0,
        0,
        0,
        0,
        mode,
        1,
        0,
        0,
        0,
        4096,
        0,
    )


def answer(request, node, body):
    """The reply to a request; None: send no reply."""
    if request in (FORGET, INTERRUPT, BATCH_FORGET):
        return None
    if request in answers_left:
        answers_left[request] -= 1
        if answers_left[request] < 0:
            return None
    if request == INIT:
        return struct.pack("<IIIIHHII32x", 7, 31, 65536, 0, 16, 12, 65536, 1)
    if request == LOOKUP and body.rstrip(b"\0") == b"python3":
        return struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
    if request == GETATTR:
        return struct.pack("<QII", 0, 0, 0) + attributes(node)  # not to be cached
    if request == OPEN:
        return struct.pack("<QII", 1, 0, 0)
    if request == READ:
        _, offset, length = struct.unpack_from("<QQI", body)
        return os.pread(file, length, offset)
    return (
        b""
        if request in (FLUSH, RELEASE)
        else -errno.ENOENT
        if request == LOOKUP
        else -errno.ENOSYS
    )


def serve(device):
    while True:
        try:
            message = os.read(device, 1 << 17)
        except OSError:
            return
        _, request, number, node = struct.unpack_from("<IIQQ", message)
        reply = answer(request, node, message[40:])
        if reply is not None:
            error, data = (reply, b"") if isinstance(reply, int) else (0, reply)
            os.write(device, struct.pack("<IiQ", 16 + len(data), error, number) + data)


device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if libc.mount(b"silent", mountpoint.encode(), b"fuse", 0, options):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
threading.Thread(target=serve, args=(device,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    word, _, count = line.partition(" ")
    answers_left[NAMES[word.strip()]] = int(count or 0)
    print("ok", flush=True)
libc.umount2(mountpoint.encode(), MNT_DETACH)
os._exit(0)
