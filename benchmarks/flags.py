"""The flags that all benchmarks share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config.errors import UserError
from pipeline.device.host import cores

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
CORES = cores()


@dataclass(frozen=True)
class Flags:
    """Flags of every benchmark."""

    data: str = "sample"
    """Folder or zip of the competition's files, or sample: the embedded digits."""
    rounds: int = 5
    """Measured epochs of each competitor."""
    out: Path | None = None
    """Where to write the record. By default build/benchmarks/CLAIM.json."""

    def __post_init__(self) -> None:
        if self.out and self.out.is_dir():  # before hours of work, not after
            raise UserError(f"--out must name a file. Received the folder {self.out}")
        for name in ("rounds", "seeds", "processes"):
            if getattr(self, name, 1) < 1:
                raise UserError(f"--{name} must be at least 1. Received: {getattr(self, name)}")
        for name in ("arms", "architectures", "batches", "precisions"):
            if getattr(self, name, True) == ():
                raise UserError(f"--{name} must name at least one")
