"""This process and a Ray cluster: connect, see what its nodes have, notice when the head is gone.

Ray is an extra. It is imported in the functions that need it, so that no other run loads it.
"""

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError
from pipeline.config.text import named
from pipeline.device.host import MEMORY_PER_WORKER, PROCESSES_PER_GPU
from pipeline.device.settings import BITS_DEPEND_ON, training_environment

INSTALL = "python -m pip install -r requirements-cluster.txt"
CLIENT = "ray://"
TOKEN_HINT = "If it has a token: put it into ~/.ray/auth_token here too, and set RAY_AUTH_MODE=token. "
PACKAGE = Path(__file__).parents[1]
ANSWER_PATIENCE = 2.0  # seconds


def require_ray() -> None:
    """Raise a UserError if Ray is not installed."""
    if find_spec("ray") is None:
        raise UserError(f"--engine ray needs Ray, which is not installed. Install it with: {INSTALL}")


def connect(address: str | None) -> None:
    """Connect this process to a cluster.

    Args:
        address: Where it is, as for `ray.init`: auto, HOST:PORT or ray://HOST:PORT. None: what the environment variable
            RAY_ADDRESS says; without it, a Ray of this machine is started.

    Raises:
        RunError: nothing answers there, or its Ray or Python is of another version.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run tells nobody about itself
    source = "" if address else " (by RAY_ADDRESS)"
    address = address or os.environ.get("RAY_ADDRESS")
    before = signal.getsignal(signal.SIGTERM)
    is_silent = address is not None and ":" in address and not _answers(address.removeprefix(CLIENT))
    try:
        if is_silent:
            raise ConnectionError("nothing answers there")  # Ray itself would try for minutes
        ray.init(
            address or "local",
            runtime_env=_runtime_environment(),
            log_to_driver=False,  # or the chatter of TensorFlow on all nodes
            logging_level="ERROR",
            **({} if address else {"include_dashboard": False}),
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"connect to the Ray cluster at {address}{source}" if address else "start Ray on this machine"
        hint = TOKEN_HINT if address and not is_silent else ""
        raise RunError(f"cannot {where}: {error}\n{hint}See docs/cluster.md.") from error
    finally:
        if signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)  # Ray's own would end the run without a vote


def _runtime_environment() -> dict[str, Any]:
    """What the nodes' processes get from here: this package, and environment variables."""
    variables = training_environment() | {name: os.environ[name] for name in BITS_DEPEND_ON if name in os.environ}
    return {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"], "env_vars": variables}


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_PATIENCE).close()
    except (OSError, ValueError):  # no such host, nobody there, or a port that is none
        return False
    return True


def member_needs(nodes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What Ray should reserve for a member: what a worker process here gets.

    A core and memory; where there are GPUs, also half of one: then no member is trained elsewhere, as it would have
    other arithmetic than those it is compared with.

    Args:
        nodes: As Ray describes them.
    """
    living = [node["Resources"] for node in nodes if node["Alive"]]
    needs = {"num_cpus": 1, "memory": min(MEMORY_PER_WORKER, max((has.get("memory", 0) for has in living), default=0))}
    if any(has.get("GPU") for has in living):
        needs["num_gpus"] = 1 / PROCESSES_PER_GPU
    return needs


@contextmanager
def loss_of_head_named() -> Iterator[None]:
    """Turn what the loss of a cluster's head leads to within the block into a RunError that says so."""
    from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RaySystemError

    try:
        yield
    except (ConnectionError, ActorDiedError, ActorUnavailableError, GetTimeoutError, RaySystemError) as error:
        raise RunError(
            f"the head of the Ray cluster is lost: {named(error)}\n"
            "What was finished is in the run's folder. Start the cluster again, then rerun the same command: it trains "
            "what is missing."
        ) from error
