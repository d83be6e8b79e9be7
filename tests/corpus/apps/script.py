# SPDX-License-Identifier: MIT
"""A page of Streamlit: the program is run anew for every visitor."""

import streamlit

from recorder import at


@streamlit.cache_data
def load():
    at("route", "<module>")
    return 1


at("route", "<module>")
load()
