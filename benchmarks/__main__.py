"""The command line of the benchmarks."""

import sys
from collections.abc import Callable
from typing import Any

import tyro

from benchmarks.cluster import ClusterCost
from benchmarks.epochs import Epochs
from benchmarks.gpu import Gpu
from benchmarks.original import Original
from benchmarks.plot import Plot
from benchmarks.publish import Publish
from benchmarks.pytorch import PyTorch
from benchmarks.quick import Quick
from benchmarks.start import Start
from benchmarks.step import Step
from benchmarks.swish import Swish
from benchmarks.votes import Votes
from pipeline.config.errors import RunError, UserError

CLAIMS: dict[str, Callable[..., Any]] = {
    "swish": Swish,
    "original": Original,
    "pytorch": PyTorch,
    "step": Step,
    "start": Start,
    "gpu": Gpu,
    "quick": Quick,
    "epochs": Epochs,
    "cluster": ClusterCost,
    "votes": Votes,
    "publish": Publish,
    "plot": Plot,
}


def main() -> None:
    """Run one benchmark and exit: 0 done, 1 failed, 2 a mistake of the user, 130 interrupted."""
    try:
        tyro.extras.subcommand_cli_from_dict(CLAIMS, prog="python -m benchmarks").run()
    except (UserError, RunError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
