"""What Swish costs over ReLU."""

from dataclasses import dataclass

from benchmarks.contest import hold
from benchmarks.flags import CORES, Flags, Precision
from benchmarks.ours import competitor, specs_of
from benchmarks.record import environment, rows_of, save, show_timings
from pipeline.config.schema import Architecture, TrainConfig


@dataclass(frozen=True)
class Swish(Flags):
    """Time per image of each activation over ReLU's; augmentation, validation and checkpoints included."""

    arms: tuple[str, ...] = ("relu", "swish", "swish_beta", "silu")
    """Activations; all ratios are to the first. silu is Keras's own Swish."""
    architectures: tuple[Architecture, ...] = ("ghouzam", "deotte")
    """Networks."""
    batches: tuple[int, ...] = (86, 256)
    """Images per step."""
    precision: Precision = "auto"
    """Arithmetic of the layers."""
    processes: int = CORES
    """Members of an activation that train at the same time; a run has one per core, or two per GPU."""

    def run(self) -> None:
        """Hold one contest per network and batch size."""
        rows = []
        for architecture in self.architectures:
            for batch in self.batches:
                train = TrainConfig(batch_size=batch, precision=self.precision)
                timings = hold(
                    [competitor(a, specs_of(architecture, (a,), train, self.processes), self.data) for a in self.arms],
                    self.rounds,
                )
                contest = rows_of(timings, architecture=architecture, batch=batch, processes=self.processes)
                show_timings(f"{architecture}, batch {batch}", contest)
                rows += contest
        save("swish", self.out, {"environment": environment(), "rows": rows})
