"""This project against PyTorch, on the CPU: the same networks, batch and precision."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.contest import Competitor, hold
from benchmarks.flags import CORES, Flags
from benchmarks.ours import competitor, epoch_images, specs_of
from benchmarks.record import environment, rows_of, save, show_timings
from pipeline.config.errors import UserError
from pipeline.config.schema import Architecture, TrainConfig

PAIRS = {"relu": "relu", "swish": "silu"}  # PyTorch's name of each of our arms


@dataclass(frozen=True)
class PyTorch(Flags):
    """Time per image: ours with augmentation, validation and checkpoints, PyTorch's without any of them.

    PyTorch competes as one process with all cores and, as ours does, as one process per core. It is eager: with
    torch.compile it was slower on every CPU that we tried.
    """

    architectures: tuple[Architecture, ...] = ("ghouzam", "deotte", "residual")
    """Networks."""
    batch: int = 86
    """Images per step."""
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    """Arithmetic of the layers; PyTorch's autocast where it is bfloat16."""

    def run(self) -> None:
        """Hold one contest per network and activation."""
        if find_spec("torch") is None:
            raise UserError("PyTorch is not installed: python -m pip install -r benchmarks/requirements.txt")

        hardware, rows = environment(["torch"]), []
        train = TrainConfig(batch_size=self.batch, precision=self.precision)
        for architecture in self.architectures:
            for arm, theirs in PAIRS.items():
                specs = specs_of(architecture, (arm,), train, CORES)
                images, half = epoch_images(specs[0], self.data), self.precision == "mixed_bfloat16"
                torch = [
                    Competitor(
                        f"PyTorch {theirs}, {processes} × {CORES // processes} threads",
                        "benchmarks.torch_training:train",
                        (specs[0], theirs, half, CORES // processes, self.data),
                        images,
                        processes,
                    )
                    for processes in sorted({1, CORES})
                ]
                contest = rows_of(
                    hold([competitor(f"ours {arm}, {CORES} × 1 thread", specs, self.data), *torch], self.rounds),
                    architecture=architecture,
                    batch=self.batch,
                )
                show_timings(f"{architecture}, batch {self.batch}", contest)
                rows += contest
                save("pytorch", self.out, {"environment": hardware, "rows": rows})
