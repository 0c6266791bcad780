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

from pipeline.config import text
from pipeline.config.errors import RunError, UserError
from pipeline.device.host import MEMORY_PER_WORKER, PROCESSES_PER_GPU
from pipeline.device.settings import BITS_DEPEND_ON, training_environment
from pipeline.training.engine import other_versions
from pipeline.training.nodes import installed_versions

INSTALL = "python -m pip install -r requirements-cluster.txt"
CLIENT = "ray://"
TOKEN_HINT = "If it has a token: put it into ~/.ray/auth_token here too, and set RAY_AUTH_MODE=token. "
PACKAGE = Path(__file__).parents[1]
HEAD_PATIENCE = 20.0  # seconds without an answer; after 60, Ray ends this process by itself
ANSWER_PATIENCE = 2.0  # seconds for one attempt
NODE_PATIENCE = 120.0  # seconds until a node has started its first process


def require_ray() -> None:
    """Raise a UserError if Ray is not installed."""
    if find_spec("ray") is None:
        raise UserError(f"--engine ray needs Ray, which is not installed. Install it with: {INSTALL}")


def connect(address: str | None) -> None:
    """Connect this process to a cluster.

    Args:
        address: Where it is, as for `ray.init`: auto, HOST:PORT or ray://HOST:PORT. None starts a Ray of this machine.

    Raises:
        RunError: nothing answers there, or its Ray or Python is of another version.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run tells nobody about itself
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
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
            **options,
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"connect to the Ray cluster at {address}" if address else "start Ray on this machine"
        hint = TOKEN_HINT if address and not is_silent else ""
        raise RunError(f"cannot {where}: {error}\n{hint}See docs/cluster.md.") from error
    finally:
        if signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)  # Ray's own would end the run without a vote


def _runtime_environment() -> dict[str, Any]:
    """What the nodes' processes get from here: this package, and environment variables."""
    variables = training_environment() | {name: os.environ[name] for name in BITS_DEPEND_ON if name in os.environ}
    return {"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__"], "env_vars": variables}


def disconnect() -> None:
    """Leave the cluster, if this process is connected to one; what still runs there for it is ended."""
    import ray

    ray.shutdown()


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


def check_versions(nodes: Sequence[dict[str, Any]], packages: tuple[str, ...]) -> None:
    """Ask nodes for their versions of packages.

    Raises:
        RunError: a node has others than this machine, or does not answer.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0)(installed_versions)
    answers = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(packages)
        for node in nodes
    ]
    for node, answer in zip(nodes, answers, strict=True):
        host = node["NodeManagerHostname"]
        try:
            check_node(host, ray.get(answer, timeout=NODE_PATIENCE))
        except ray.exceptions.RayError as error:
            if node["NodeID"] in {living["NodeID"] for living in living_nodes()}:
                raise RunError(
                    f"the node {host} cannot run this package: {first_line(error)}\nInstall requirements.txt and "
                    "requirements-cluster.txt there, and start its Ray from that environment."
                ) from error


def check_node(host: str, versions: dict[str, str]) -> None:
    """Raise a RunError if a node has other versions than this machine."""
    if differences := other_versions(versions):
        raise RunError(
            f"the node {host} has {differences}: its members would have other bits. Install the same versions on all "
            "nodes, for example with the output of `python -m pip freeze` here."
        )


def head_address(address: str | None) -> str | None:
    """HOST:PORT of the head of the connected cluster; None with ray://, which notices by itself when it is gone."""
    import ray

    return None if (address or "").startswith(CLIENT) else ray.get_runtime_context().gcs_address


class Head:
    """The head of a cluster.

    Args:
        address: HOST:PORT; None if it need not be watched.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._answered = time.monotonic()

    def check(self) -> None:
        """Raise a ConnectionError if the head has not answered for a while."""
        if self._address is None or _answers(self._address):
            self._answered = time.monotonic()
        elif time.monotonic() - self._answered > HEAD_PATIENCE:
            raise ConnectionError(f"nothing answers at {self._address}")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_PATIENCE).close()
    except (OSError, ValueError):  # no such host, nobody there, or a port that is none
        return False
    return True


def first_line(error: BaseException) -> str:
    """What kind of error it is and how its text begins; of an error on a node, what raised it there."""
    cause = getattr(error, "cause", None) or error
    return text.named(cause)


@contextmanager
def loss_of_head_told() -> Iterator[None]:
    """Turn what the loss of a cluster's head leads to within the block into a RunError that says so."""
    from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RaySystemError

    try:
        yield
    except (ConnectionError, ActorDiedError, ActorUnavailableError, GetTimeoutError, RaySystemError) as error:
        raise RunError(
            f"the head of the Ray cluster is lost: {first_line(error)}\n"
            "What was finished is in the run's folder. Start the cluster again, then rerun the same command: it trains "
            "what is missing."
        ) from error
