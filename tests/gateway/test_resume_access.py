"""Who may come back to whose session where API keys are asked for, also at the gateway after the one that let them in."""

from __future__ import annotations

from pathlib import Path

from auth.test_keys import add
from gateway.gateway_harness import END, hear, run, served
from gateway.test_access import bearer
from gateway.test_admission_http import refused
from gateway.test_resume import again, cut, detached, opened, resume
from starling.auth.keyfile import changing
from starling.auth.tenants import Principal, Tenant
from starling.core.load import Priority
from starling.gateway.options import GatewayOptions


def test_a_session_is_its_tenants(tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.json"
    mine, _ = add(keys_file, tenant="acme")
    also_mine, _ = add(keys_file, tenant="acme")
    theirs, _ = add(keys_file, tenant="other")

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            async with it.connect(additional_headers=bearer(mine)) as client:
                token = (await opened(client))["resume_token"]
                cut(client)
            await detached(it)
            assert [seat.session.stage for seat in it.gateway.seats] == ["away"]
            async with again(it, additional_headers=bearer(theirs)) as thief:
                answer = await resume(thief, token, 0)
                assert (answer["type"], answer["code"]) == ("error", "not_resumable")
            async with again(it, additional_headers=bearer(also_mine)) as client:
                assert (await resume(client, token, 0))["type"] == "resumed"
                (seat,) = it.gateway.seats
                assert seat.principal == it.gateway.access._keyring.authenticate(also_mine)  # type: ignore[union-attr]
                await client.send(END)
                assert (await hear(client))[-1]["type"] == "done"

    run(scenario)


def test_a_session_of_the_gateway_before_counts_for_its_tenant_and_is_no_revoked_one(tmp_path: Path) -> None:
    keys_file = tmp_path / "keys.json"
    add(keys_file, tenant="acme")
    with changing(keys_file) as change:
        change.content = change.content.with_tenant(Tenant(name="acme", priority=Priority.LOW, max_sessions=3))

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys_file)) as it:
            access = it.gateway.access
            tenant = access.tenant("acme", Priority.HIGH)
            assert (tenant.max_sessions, tenant.priority) == (3, Priority.LOW)
            assert access.tenant("gone", Priority.HIGH) == Tenant(name="gone", priority=Priority.HIGH)
            assert access.still(Principal(tenant=tenant))
            assert not access.still(Principal(tenant=tenant, key_id="revoked"))
            keys_file.write_text("{")  # one byte
            assert access.tenant("acme", Priority.HIGH) == Tenant(name="acme", priority=Priority.HIGH)

    run(scenario)


def test_who_comes_back_is_not_refused_for_those_who_are_new() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, opens_per_minute=1), still=True) as it:
            async with it.connect() as client:
                token = (await opened(client))["resume_token"]
                assert await refused(it.connect()) == (429, "60", "quota_exceeded")
                cut(client)
            for _ in range(3):
                await detached(it)
                async with again(it) as client:
                    assert (await resume(client, token, 0))["type"] == "resumed"
                    cut(client)

    run(scenario)
