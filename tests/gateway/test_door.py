from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.datastructures import Headers

from starling.auth.tenants import Principal
from starling.core.errors import Forbidden, QuotaExceeded, StarlingError, Unauthenticated
from starling.gateway.access import Access
from starling.gateway.door import Door, reason
from starling.gateway.guard import Guard
from starling.gateway.options import GatewayOptions
from starling.telemetry.clock import SystemClock
from starling.telemetry.metrics import Metrics, render


class Unheard(Unauthenticated):
    """A kind of error that nobody gave a label."""


class Odd(StarlingError):
    """One of no kind that has a label."""


class Failing(Access):
    def __init__(self, error: StarlingError) -> None:
        super().__init__(GatewayOptions(), SystemClock())
        self._error = error

    def identify(self, headers: Headers, address: str) -> Principal:
        raise self._error


def kinds(root: type[StarlingError] = StarlingError) -> Iterator[type[StarlingError]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def test_every_error_has_a_reason_that_is_counted() -> None:
    counted = Metrics.sessions_refused.labels["reason"]
    for kind in kinds():
        assert reason(kind.__new__(kind)) in counted, kind


def test_an_error_is_counted_as_the_nearest_kind_that_has_a_label() -> None:
    assert reason(Forbidden("no")) == "forbidden"
    assert reason(QuotaExceeded("later", gate="rate", retry_after=1)) == "attempts"
    assert reason(Unheard("no")) == "unauthenticated"
    assert reason(Odd("no")) == "other"


@pytest.mark.parametrize("error", [Unheard("no"), Odd("no")], ids=["unheard", "odd"])
def test_who_is_turned_away_hears_why_whatever_it_is(error: StarlingError) -> None:
    metrics = Metrics()
    door = Door(GatewayOptions(), Guard(GatewayOptions()), Failing(error), metrics)
    with pytest.raises(type(error)) as raised:
        door.identify(Headers(), "127.0.0.1")
    assert raised.value is error
    assert f'starling_sessions_refused_total{{reason="{reason(error)}"}} 1.0' in render(metrics).decode()
