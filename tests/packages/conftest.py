# SPDX-License-Identifier: MIT
def pytest_addoption(parser):
    parser.addoption(
        "--roots",
        action="store_true",
        help="also in bare roots of Debian releases, which are made below build/packages",
    )
