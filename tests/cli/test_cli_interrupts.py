"""What a signal does that comes twice."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from starling.cli.interrupts import interrupts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_is_passed_on_as_well_is_one_signal(number: signal.Signals) -> None:
    async def scenario() -> None:
        with interrupts(echo=600.0) as stop:
            for _ in range(3):
                os.kill(os.getpid(), number)
                async with asyncio.timeout(60):
                    await stop.wait()
                await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    asyncio.run(scenario())


def test_the_second_interrupt_insists() -> None:
    async def scenario() -> None:
        with interrupts() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(scenario())
