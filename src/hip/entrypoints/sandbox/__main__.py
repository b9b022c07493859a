"""``python -m hip.entrypoints.sandbox gateway|hiu|patient-app``: one simulator as a process of its own."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
from litestar import Litestar

from hip.entrypoints.sandbox.hiu.config import UnknownFault
from hip.entrypoints.sandbox.parent import end_with_parent
from hip.entrypoints.sandbox.parties import Register
from hip.entrypoints.sandbox.serving import serve
from hip.entrypoints.sandbox.switches import Switch, UnknownScenario, at_random, read_switch

_SWITCH = "NAME[:chance=0.2,seed=7,times=3,path=link]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one simulator until SIGTERM or the parent's end. Exit status 2 for bad usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s %(levelname)s %(message)s")
    try:
        build = BUILDERS[options.app](options)
    except (OSError, msgspec.MsgspecError) as problem:
        parser.error(f"--register: {problem}")
    except (UnknownScenario, UnknownFault) as problem:
        parser.error(str(problem))
    end_with_parent()
    return serve(build, port=options.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hip.entrypoints.sandbox", description=__doc__)
    parser.add_argument("app", choices=tuple(BUILDERS))
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0, the default: a free one")
    parser.add_argument("--wait-scale", type=float, default=1.0, help="every wait is multiplied by this")
    parser.add_argument("--cm-id", default="sbx", help="the X-CM-ID")
    gateway = parser.add_argument_group("gateway")
    gateway.add_argument("--register", default="{}", metavar="JSON|@FILE", help='{"clients": [...], "patients": [...]}')
    gateway.add_argument("--session-life", type=float, default=1200, metavar="SECONDS", help="expiresIn of a session")
    gateway.add_argument("--retry-wait", type=float, action="append", metavar="SECONDS", help="before another attempt")
    gateway.add_argument(
        "--ack-patience", type=float, default=30, metavar="SECONDS", help="for the consent's on-notify"
    )
    gateway.add_argument("--self-fetch", action="store_true", help="the patient's app fetches what is linked")
    gateway.add_argument("--scenario", action="append", default=[], metavar=_SWITCH, help="a scenario to start with")
    gateway.add_argument("--keep-bodies", action="store_true", help="keep the bodies of calls in the journal")
    parser.add_argument("--chaos", metavar="CHANCE", type=float, help="every scenario or fault, each at random")
    parser.add_argument("--seed", type=int, default=_seed(), help="of --chaos; HIP_SOAK_SEED by default, else 0")
    parties = parser.add_argument_group("hiu and patient-app")
    parties.add_argument("--gateway", default="http://127.0.0.1:8090", metavar="URL", help="without /api/hiecm")
    parties.add_argument("--fault", action="append", default=[], metavar=_SWITCH, help="hiu: a way to be difficult")
    return parser


def _gateway(options: argparse.Namespace) -> Callable[[str], Litestar]:
    from hip.entrypoints.sandbox.gateway.app import create_app
    from hip.entrypoints.sandbox.gateway.config import GatewayConfig
    from hip.entrypoints.sandbox.gateway.scenarios import SCENARIOS, Scenarios

    text = options.register
    raw = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
    switches = (*_chaos(options, SCENARIOS), *map(read_switch, options.scenario))
    Scenarios(switches)  # raises for a name that is none, while there is a shell to tell
    register = msgspec.json.decode(raw, type=Register)
    return lambda url: create_app(
        GatewayConfig(
            public_url=url,
            cm_id=options.cm_id,
            register=register,
            wait_scale=options.wait_scale,
            session_life=timedelta(seconds=options.session_life),
            retry_waits=tuple(options.retry_wait or (1.0, 3.0, 9.0)),
            ack_patience=timedelta(seconds=options.ack_patience),
            self_fetch=options.self_fetch,
            scenarios=switches,
            keep_bodies=options.keep_bodies,
        )
    )


def _hiu(options: argparse.Namespace) -> Callable[[str], Litestar]:
    from hip.entrypoints.sandbox.hiu.app import create_app
    from hip.entrypoints.sandbox.hiu.config import MIXED_FAULTS, HiuConfig

    config = HiuConfig(
        gateway_url=options.gateway,
        cm_id=options.cm_id,
        wait_scale=options.wait_scale,
        at_random=(*_chaos(options, MIXED_FAULTS), *map(read_switch, options.fault)),
    )
    return lambda url: create_app(replace(config, public_url=url))


def _patient_app(options: argparse.Namespace) -> Callable[[str], Litestar]:
    from hip.entrypoints.sandbox.patient.app import create_app
    from hip.entrypoints.sandbox.patient.config import PatientAppConfig

    return lambda url: create_app(PatientAppConfig(gateway_url=options.gateway, public_url=url, cm_id=options.cm_id))


def _chaos(options: argparse.Namespace, names: Iterable[str]) -> tuple[Switch, ...]:
    if options.chaos is None:
        return ()
    from hip.entrypoints.sandbox.gateway.scenarios import MIXED_PATHS

    return at_random(names, seed=options.seed, chance=options.chaos, paths=MIXED_PATHS)


def _seed() -> int:
    return int(os.environ.get("HIP_SOAK_SEED", "0"))


BUILDERS = {"gateway": _gateway, "hiu": _hiu, "patient-app": _patient_app}


if __name__ == "__main__":
    sys.exit(main())
