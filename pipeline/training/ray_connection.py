"""This process and a Ray cluster: connect, see which nodes there are, notice when the head is gone.

Ray is an extra. It is imported in the functions that need it, so that no other run loads it.
"""

import os
import signal
import socket
import time
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
HEAD_PATIENCE = 20.0  # seconds without an answer; after 60, Ray ends this process by itself
ANSWER_PATIENCE = 2.0  # seconds for one attempt


def require_ray() -> None:
    """Raise a UserError if Ray is not installed."""
    if find_spec("ray") is None:
        raise UserError(f"--engine ray needs Ray, which is not installed. Install it with: {INSTALL}")


class Connection:
    """The connection of this process to a cluster.

    Args:
        address: Where it is, as for `ray.init`: auto, HOST:PORT or ray://HOST:PORT. None: what the environment variable
            RAY_ADDRESS says; without it, a Ray of this machine is started.

    Raises:
        RunError: nothing answers there, or its Ray or Python is of another version.
    """

    def __init__(self, address: str | None) -> None:
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
        # With ray://, Ray notices by itself when the head is gone.
        self._head = None if (address or "").startswith(CLIENT) else ray.get_runtime_context().gcs_address
        self._answered = time.monotonic()

    def check(self) -> None:
        """Raise a ConnectionError if the cluster's head has not answered for a while."""
        if self._head is None or _answers(self._head):
            self._answered = time.monotonic()
        elif time.monotonic() - self._answered > HEAD_PATIENCE:
            raise ConnectionError(f"nothing answers at {self._head}")


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


def living_nodes() -> list[dict[str, Any]]:
    """The cluster's nodes, as Ray describes them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def member_needs(nodes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What Ray should reserve for a member: what a worker process here gets.

    A core and memory; where there are GPUs, also half of one: then no member is trained elsewhere, as it would have
    other arithmetic than those it is compared with.
    """
    largest = max((node["Resources"].get("memory", 0) for node in nodes), default=0)
    needs = {"num_cpus": 1, "memory": min(MEMORY_PER_WORKER, largest)}
    if any(node["Resources"].get("GPU") for node in nodes):
        needs["num_gpus"] = 1 / PROCESSES_PER_GPU
    return needs


def has_room(node: dict[str, Any], needs: dict[str, float]) -> bool:
    """Whether a node could train a member, if nothing else ran there."""
    has = node["Resources"]
    return all(
        has.get(resource, 0) >= needs.get(option, 0)
        for option, resource in (("num_cpus", "CPU"), ("num_gpus", "GPU"), ("memory", "memory"))
    )


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
