from __future__ import annotations

from bus.shared.rig import arena
from contracts.session_directory_contract import SessionDirectoryContract, entry
from starling.bus.shared.arena import Arena
from starling.bus.shared.directory import SharedSessionDirectory
from starling.bus.shared.slots import Slots
from virtual_time import at_once


class TestSharedSessionDirectory(SessionDirectoryContract):
    def make(self) -> SharedSessionDirectory:
        shared = arena()
        return SharedSessionDirectory(shared, Slots(shared))


def test_another_gateway_finds_what_the_one_before_put() -> None:
    shared = arena()
    at_once(SharedSessionDirectory(shared, Slots(shared)).put(entry("a")))
    attached = Arena.attach(shared.fd)
    after = SharedSessionDirectory(attached, Slots(attached))
    assert at_once(after.get("a")) == entry("a")
    at_once(after.remove("a"))
    assert shared.find("a") is None
