# SPDX-License-Identifier: MIT
"""A stand-in for wrk: requests PATH from 127.0.0.1:PORT for SECONDS, one request at a time on each
connection, and prints how many were answered.

load.py PORT CONNECTIONS SECONDS PATH
"""

import selectors
import socket
import sys
import time


def main(port, connections, seconds, path):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    selector, answered = selectors.DefaultSelector(), 0
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        selector.register(connection, selectors.EVENT_READ)
        connection.sendall(request)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            # the answer is so small that it arrives in one piece
            if not key.fileobj.recv(65536).startswith(b"HTTP/1.1 200 "):
                sys.exit("load: the server gave another answer than 200")
            answered += 1
            key.fileobj.sendall(request)
    print(answered)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
