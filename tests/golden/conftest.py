# SPDX-License-Identifier: MIT
def pytest_addoption(parser):
    parser.addoption(
        "--update",
        action="store_true",
        help="write what gilscope prints now as what is expected; then read the diff",
    )
