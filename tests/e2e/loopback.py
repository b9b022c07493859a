"""The service in memory mode as a process of its own, and the sandbox's three beside it: real HTTP without servers."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from hip.entrypoints.demo.processes import service
from hip.entrypoints.demo.stages import CLIENT_ID, CLIENT_SECRET, HIP_ID, HIP_NAME, KEPT_SHORT, Stage, settings_of
from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.parties import Client
from hip.entrypoints.sandbox.parties import Service as GatewayService
from hip.entrypoints.settings import SANDBOX_KEY

SERVICE, SANDBOX = "hip.entrypoints.cli.main", "hip.entrypoints.sandbox"
PATIENCE = "2"  # seconds for a reply: a silent peer is met often here, and never by a slow machine alone


@asynccontextmanager
async def memory_loopback(folder: Path, *, wait_scale: float = 0.01) -> AsyncGenerator[Stage]:
    """Four processes on loopback, the callback address registered; they end with the block."""
    client = {
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "services": [{"id": HIP_ID, "name": HIP_NAME}],
    }
    scale = ("--wait-scale", str(wait_scale))
    with service(folder) as group:
        gateway = group.start(
            "gateway",
            "gateway",
            *scale,
            "--ack-patience",
            "8",
            "--keep-bodies",
            "--register",
            json.dumps({"clients": [client]}),
            module=SANDBOX,
            environment={},
        )
        gateway_url = await asyncio.to_thread(gateway.address)
        far = ("--gateway", gateway_url)
        hiu = group.start("hiu", "hiu", *scale, *far, module=SANDBOX, environment={})
        phone = group.start("patient-app", "patient-app", *far, module=SANDBOX, environment={})
        phone_url = await asyncio.to_thread(phone.address)
        environment = {
            "HIP_ENV": "sandbox",
            "HIP_STORAGE": "memory",
            "HIP_GATEWAY_URL": f"{gateway_url}/api/hiecm",
            "HIP_CLIENT_ID": CLIENT_ID,
            "HIP_CLIENT_SECRET": CLIENT_SECRET,
            "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": HIP_NAME}]),
            "HIP_OTP_URL": f"{phone_url}/sandbox/sms",
            "HIP_WAIT_SCALE": str(wait_scale),
            "HIP_GATEWAY_TIMEOUT": PATIENCE,
            "HIP_PUSH_TIMEOUT": PATIENCE,
            "HIP_BIND": "127.0.0.1:0",
        }
        serve = group.start("serve", "serve", module=SERVICE, environment=environment)
        addresses = {
            "gateway": gateway_url,
            "hiu": await asyncio.to_thread(hiu.address),
            "patient app": phone_url,
            "hip": await asyncio.to_thread(serve.address),
        }
        key = {"X-API-Key": SANDBOX_KEY}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=90, limits=KEPT_SHORT) as http,
            httpx.AsyncClient(
                base_url=addresses["hip"], headers=key, trust_env=False, timeout=30, limits=KEPT_SHORT
            ) as hmis,
        ):
            control = SandboxControl(
                http=http,
                gateway_url=gateway_url,
                hiu_url=addresses["hiu"],
                patient_url=phone_url,
                deadline=60.0,
            )
            await control.register_client(
                Client(
                    client_id=CLIENT_ID,
                    client_secret=CLIENT_SECRET,
                    name="Demo Bridge",
                    url=addresses["hip"],
                    services=(GatewayService(id=HIP_ID, name=HIP_NAME),),
                )
            )
            yield Stage(
                mode="memory over HTTP",
                hmis=hmis,
                control=control,
                register_bridge=lambda: None,
                addresses=addresses,
                settings=settings_of(environment),
                service=group,
            )
