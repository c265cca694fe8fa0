"""A local cloud's event loop in a thread of its own, so that blocking SDKs can be its clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from localcloud.vpc import Switches
from tests.integration.localcloud.vpc_world import World

T = TypeVar("T")


class LoopThread:
    """An asyncio loop that runs in a background thread until ``stop``."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="local cloud", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result, at most 30 seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a plain function on the loop, where the services' state may be touched, and wait for its result."""

        async def on_loop() -> T:
            return function(*args, **kwargs)

        return self.run(on_loop())

    def stop(self) -> None:
        """Stop the loop and the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """A running loop in a thread."""
    thread = LoopThread()
    yield thread
    thread.stop()


@pytest.fixture
def direct_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback calls must not go to a proxy; the VPC SDK ignores NO_PROXY."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vpc_world(loop_thread: LoopThread, direct_connections: None) -> Iterator[World]:
    """A running VPC service with a partner, a circuit and tenants."""
    world = World(loop_thread.call, loop_thread.run, Switches())
    yield world
    loop_thread.run(world.listener.unplug())
