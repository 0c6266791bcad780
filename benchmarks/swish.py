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
    architectures: tuple[Architecture, ...] = ("ghouzam", "deotte", "residual")
    """Networks."""
    precisions: tuple[Precision, ...] = ("mixed_bfloat16", "float32")
    """Arithmetic of the layers."""
    batch: int = 86
    """Images per step."""
    processes: int = CORES
    """Members of an activation that train at the same time; a run has one per core, or two per GPU."""

    def run(self) -> None:
        """Hold one contest per precision and network."""
        hardware, rows = environment(), []
        for precision in self.precisions:
            for architecture in self.architectures:
                train = TrainConfig(batch_size=self.batch, precision=precision)
                timings = hold(
                    [competitor(a, specs_of(architecture, (a,), train, self.processes), self.data) for a in self.arms],
                    self.rounds,
                )
                contest = rows_of(timings, architecture=architecture, precision=precision, batch=self.batch)
                show_timings(f"{architecture}, {precision}", contest)
                rows += contest
                save("swish", self.out, {"environment": hardware, "rows": rows})
