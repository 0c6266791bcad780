"""What a benchmark leaves: a table on the screen, and everything as JSON."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contest import Timing
from pipeline.config.errors import UserError
from pipeline.device.host import installed_version
from pipeline.records.atomic import atomic_replace

FOLDER = Path("build/benchmarks")
DESCRIBE = (
    "import json; from pipeline.device import accelerator; found = accelerator.found_device(); "
    "more = {'device kind': found.kind, 'auto precision': found.precision}; "
    "print(json.dumps(accelerator.describe_environment() | more))"
)
LOG_WIDTH = 160  # columns of a table, where there is no terminal to ask


def environment(packages: Sequence[str] = ()) -> dict[str, str]:
    """Hardware, its kind, what precision "auto" is on it, and versions, those of some more packages included."""
    # In a process of its own: it loads TensorFlow, which has much to say.
    done = subprocess.run([sys.executable, "-c", DESCRIBE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]) | {package: installed_version(package) for package in packages}


def rows_of(timings: Sequence[Timing], **settings: Any) -> list[dict[str, Any]]:
    """One record per competitor, with its ratios to the first."""
    return [
        {
            **settings,
            "name": timing.name,
            "microseconds_per_image": round(timing.microseconds_per_image, 1),
            "images_per_second": round(1e6 / timing.microseconds_per_image),
            "ratio": round(statistics.median(ratios := timing.ratios_to(timings[0])), 3),
            "ratio_low": round(min(ratios), 3),
            "ratio_high": round(max(ratios), 3),
            "rounds": len(timing.seconds),
            "images": timing.images,
            "seconds": [round(second, 3) for second in timing.seconds],
        }
        for timing in timings
    ]


def show_timings(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print the rows of one contest."""
    lines = [
        [r["name"], f"{r['microseconds_per_image']:.0f}", f"{r['images_per_second']:,}", f"{r['ratio']:.3f}",
         f"{r['ratio_low']:.3f} to {r['ratio_high']:.3f}", str(r["rounds"])]
        for r in rows
    ]  # fmt: skip
    columns = ["who", "µs per image", "images/s", f"ratio to {rows[0]['name']}", "its range", "rounds"]
    show(title, columns, lines)


def show(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    for line in lines:
        table.add_row(*line)
    console = Console()
    Console(width=console.width if console.is_terminal else LOG_WIDTH).print(table)


def load(path: Path, key: str) -> Any:
    """An entry of a record.

    Raises:
        UserError: the record is missing, or is another one.
    """
    try:
        return json.loads(path.read_text())[key]
    except FileNotFoundError:
        raise UserError(f"{path} is missing; python -m benchmarks {path.stem} writes it.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not the record of a benchmark: it has no {key}.") from None


def save(claim: str, out: Path | None, content: dict[str, Any]) -> None:
    """Write a benchmark's record, to build/benchmarks/CLAIM.json by default."""
    path = out or FOLDER / f"{claim}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "claim": claim,
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        **content,
    }
    with atomic_replace(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written: {path}")
