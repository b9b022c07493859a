"""How many examples a test takes, and which."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))


def examples(count: int) -> Any:
    """``count`` of them, the same ones at each run with the same seed."""

    def decorate(test: Any) -> Any:
        chosen = settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        return chosen(seed(SEED)(test))

    return decorate
