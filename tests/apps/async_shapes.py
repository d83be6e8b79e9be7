# SPDX-License-Identifier: MIT
"""Generators and coroutines in all their forms, like stack_shapes.py."""

import asyncio
import contextlib

from spot import shape, spot


def _generate():
    yield 1
    (spot.note(), spot.act(), spot.done())
    yield 2


@shape
def generator():
    for _ in _generate():
        pass


def _delegate(depth):
    if depth:
        yield from _delegate(depth - 1)
    else:
        yield from _generate()


@shape
def yield_from():
    list(_delegate(10))


@shape
def generator_expression():
    list((spot.note(), spot.act(), spot.done()) for _ in range(1))


@shape
def sent_to():
    generator = _generate()
    generator.send(None)
    generator.send(None)
    generator.close()


@shape
def thrown_into():
    def catching():
        try:
            yield
        except ValueError:
            (spot.note(), spot.act(), spot.done())
        yield

    generator = catching()
    next(generator)
    generator.throw(ValueError())


async def _await(depth, pause):
    if depth:
        await _await(depth - 1, pause)
    else:
        if pause:
            await asyncio.sleep(0)
        (spot.note(), spot.act(), spot.done())


@shape
def coroutines_30_deep():
    spot.run_loop(_await(30, pause=False))


@shape
def coroutines_30_deep_resumed():
    spot.run_loop(_await(30, pause=True))


@shape
def coroutine_by_hand():
    with contextlib.suppress(StopIteration):
        _await(3, pause=False).send(None)


@shape
def tasks():
    async def outer():
        await asyncio.gather(asyncio.sleep(0), asyncio.ensure_future(_await(2, pause=True)))

    spot.run_loop(outer())


@shape
def loop_callback():
    async def outer():
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(
            lambda: ((spot.note(), spot.act(), spot.done()), done.set_result(None))
        )
        await done

    spot.run_loop(outer())


async def _agenerate(pause):
    for number in range(2):
        if pause:
            await asyncio.sleep(0)
        if number:
            (spot.note(), spot.act(), spot.done())
        yield number


@shape
def async_generator():
    async def outer():
        async for _ in _agenerate(pause=True):
            pass

    spot.run_loop(outer())


@shape
def async_comprehension():
    async def outer():
        return [number async for number in _agenerate(pause=True)]

    spot.run_loop(outer())


@shape
def async_comprehension_itself():
    async def outer():
        return {
            number: (await asyncio.sleep(0), spot.note(), spot.act(), spot.done())
            async for number in _agenerate_quiet()
        }

    async def _agenerate_quiet():
        yield 1

    spot.run_loop(outer())


@shape
def async_with():
    class Manager:
        async def __aenter__(self):
            await asyncio.sleep(0)
            (spot.note(), spot.act(), spot.done())

        async def __aexit__(self, *_):
            await asyncio.sleep(0)

    async def outer():
        async with Manager():
            pass

    spot.run_loop(outer())
