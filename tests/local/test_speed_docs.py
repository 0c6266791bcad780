"""The figures in docs/speed.md against the records of the benchmarks."""

import json
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/speed.md").read_text()


def record(claim):
    return json.loads((ROOT / f"docs/benchmarks/{claim}.json").read_text())


def cell(row):
    return f"{row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"


def cells_of(rows, **wanted):
    """One cell per network, in the order of the table."""
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return [cell(next(row for row in found if row["architecture"] == name)) for name in ("ghouzam", "deotte")]


@pytest.mark.parametrize(("claim", "precision"), [("swish", "bfloat16"), ("swish-float32", "float32")])
def test_what_an_activation_costs(claim, precision):
    rows = record(claim)["rows"]
    for name, batch in {(row["name"], row["batch"]) for row in rows} - {("relu", 86), ("relu", 256)}:
        shown = "silu (Keras's own)" if name == "silu" else name
        line = " | ".join([f"| {shown}", f"{precision}, {batch}", *cells_of(rows, name=name, batch=batch)]) + " |"
        assert line in TEXT


@pytest.mark.parametrize(("shown", "name"), [
    ("PyTorch, 1 process of 2 threads", "eager, 1 × 2 threads"),
    ("PyTorch, 2 processes of 1 thread", "eager, 2 × 1 threads"),
    ("torch.compile, 1 process of 2 threads", "compiled, 1 × 2 threads"),
    ("torch.compile, 2 processes of 1 thread", "compiled, 2 × 1 threads"),
])  # fmt: skip
def test_pytorch(shown, name):
    rows = [row for row in record("pytorch")["rows"] if row["name"].startswith("PyTorch") and name in row["name"]]
    assert [row["architecture"] for row in rows] == [n for n in ("ghouzam", "deotte", "residual") for _ in range(2)]
    assert f"| {shown} | {' | '.join(cell(row) for row in rows)} |" in TEXT


def test_the_readme_quotes_the_ratios_to_pytorch_at_its_best():
    best = {}
    for row in record("pytorch")["rows"]:
        if not row["name"].startswith("ours"):
            contest = row["architecture"], "relu" in row["name"]
            best[contest] = min(best.get(contest, row), row, key=lambda row: row["ratio"])
    assert all("eager, 2 × 1 threads" in row["name"] for row in best.values())
    ratios = [row["ratio"] for row in best.values()]
    told = f"PyTorch at its best takes {min(ratios):.2f} to {max(ratios):.2f} times our time per image"
    assert told in " ".join((ROOT / "README.md").read_text().split())
    ghouzam, deotte, residual = (
        [100 * best[name, is_relu]["ratio"] - 100 for is_relu in (True, False)]  # percent of our time
        for name in ("ghouzam", "deotte", "residual")
    )
    prose = " ".join(TEXT.split())
    assert f"With ReLU it takes {ghouzam[0]:.0f}, {deotte[0]:.0f} and {residual[0]:.0f}% longer than ours." in prose
    assert (
        f"With Swish it takes {ghouzam[1]:.0f}% longer in `ghouzam`, "
        f"but {-deotte[1]:.0f}% less in `deotte` and {-residual[1]:.0f}% less in `residual`"
    ) in prose


def test_where_the_time_goes():
    text, step = " ".join(TEXT.split()), record("step")
    added = [[100 * row[key] - 100 for key in ("ratio", "ratio_low", "ratio_high")] for row in step["rows"][1::2]]
    first, second = (f"{middle:.0f}% ({low:.0f} to {high:.0f})" for middle, low, high in added)
    assert f"add {first} to the arithmetic of `ghouzam` and {second} to that of `deotte`" in text
    shares, rates = [], []
    for name in ("ghouzam", "deotte"):
        layers = [layer for layer in step["layers"] if layer["architecture"] == name]
        (conv,) = [layer for layer in layers if layer["kind"] == "Conv2D"]
        shares.append(conv["microseconds"] / sum(layer["microseconds"] for layer in layers))
        rates.append(conv["flops"] / conv["microseconds"] / 1e3)
    assert f"Convolutions take {shares[0]:.0%} of the layers' time in `ghouzam` and {shares[1]:.0%} in `deotte`" in text
    assert f"reach {rates[0]:.0f} and {rates[1]:.0f} GFLOP/s" in text
    assert f"product reaches {step['product_flops']['deotte'] / 1e9:.0f}" in text
    swish, relu = (
        layer["microseconds"]
        for layers in (step["layers"], record("step-relu")["layers"])
        for layer in layers
        if (layer["architecture"], layer["kind"]) == ("deotte", "Activation")
    )
    assert f"activations of `deotte` take {swish:.0f} µs per image, ReLU's {relu:.0f}" in text


def test_the_blog_posts_way():
    original = record("original")
    ups = original["speed_ups"]
    assert f"takes {statistics.median(ups):.1f} times as long" in " ".join(TEXT.split())
    assert f"({min(ups):.1f} to {max(ups):.1f}\nover {len(ups)} epochs" in TEXT
    seconds = {(row["seed"], row["name"]): row["seconds"] for row in original["rows"]}
    costs = []
    for seed in range(3):
        both = zip(seconds[seed, "source, swish"], seconds[seed, "source, relu"], strict=True)
        costs.append(statistics.median(100 * swish / relu - 100 for swish, relu in both))
    assert f"costs {min(costs):.0f} to {max(costs):.0f}% for Swish" in TEXT
    relu, swish = original["accuracies"]
    for gain, words in ((relu, "ours is {} points (95% {} to {})"), (swish, "and {} ({} to {}) with Swish")):
        low, high = gain["interval"]
        shown = [f"{100 * value:+z.1f}" for value in (gain["difference"], low, high)]
        assert words.format(shown[0], shown[1], shown[2]) in " ".join(TEXT.split())
