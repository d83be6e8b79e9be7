# SPDX-License-Identifier: MIT
"""The least a FastAPI route can do: what gilscope costs is the largest share of it."""
import fastapi

app = fastapi.FastAPI()


@app.get("/")
async def root():
    return {"hello": "world"}
