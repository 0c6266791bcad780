"""The figures in docs/speed.md against the records of the benchmarks."""

import statistics

import pytest
from figures import page, prose, record, table

TEXT = page("docs/speed.md")
PROSE = prose(TEXT)
NETWORKS = ("ghouzam", "deotte", "residual")


def cell(row, baseline):
    """The median ratio of the rounds, and their range, from the recorded seconds."""
    ratios = [mine / row["images"] / (theirs / baseline["images"])
              for mine, theirs in zip(row["seconds"], baseline["seconds"], strict=True)]  # fmt: skip
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def test_what_an_activation_costs():
    rows = {(row["precision"].removeprefix("mixed_"), row["name"], row["architecture"]): row
            for row in record("benchmarks/swish")["rows"]}  # fmt: skip
    shown = table(TEXT, "| activation | precision |")
    assert len(shown) == 5
    for name, precision, *cells in shown:
        arm = name.partition(" (")[0]
        assert cells == [cell(rows[precision, arm, net], rows[precision, "relu", net]) for net in NETWORKS]
    for net in NETWORKS:  # "it costs more"
        for precision in ("bfloat16", "float32"):
            assert rows[precision, "swish_beta", net]["ratio"] > rows[precision, "swish", net]["ratio"]
    slower = [rows["bfloat16", "relu", net]["microseconds_per_image"]
              / rows["float32", "relu", net]["microseconds_per_image"] for net in NETWORKS]  # fmt: skip
    assert f"bfloat16 takes {min(slower):.2f} to {max(slower):.2f} times as long as float32" in PROSE


def contests():
    """Of each network and activation: ours, and PyTorch's by their names."""
    found = {}
    for row in record("benchmarks/pytorch")["rows"]:
        who, activation, how = row["name"].replace(",", "").split(maxsplit=2)
        contest = found.setdefault((row["architecture"], "relu" if activation == "relu" else "swish"), {})
        contest["ours" if who == "ours" else how] = row
    return found


def test_pytorch():
    both = contests()
    assert list(both) == [(network, arm) for network in NETWORKS for arm in ("relu", "swish")]
    ways = {"1 process of 2 threads": "1 × 2 threads", "2 processes of 1 thread": "2 × 1 threads"}
    shown = table(TEXT, "| PyTorch |")
    assert [way for way, *_ in shown] == list(ways)
    for way, *cells in shown:
        assert cells == [cell(contest[ways[way]], contest["ours"]) for contest in both.values()]


def test_pytorch_at_its_best_is_faster_where_it_is_said():
    faster = []
    for (network, arm), contest in contests().items():
        best = min((how for how in contest if how != "ours"), key=lambda how: contest[how]["ratio"])
        assert best == "2 × 1 threads"
        faster += [(network, arm)] * (contest[best]["ratio"] < 1)
    assert faster == [(net, arm) for net in ("deotte", "residual") for arm in ("relu", "swish")]
    ahead = [100 - 100 * contests()[won]["2 × 1 threads"]["ratio"] for won in faster]
    assert f"slower in `ghouzam`, and {min(ahead):.0f} to {max(ahead):.0f}% faster in `deotte` and `residual`" in PROSE


def test_where_the_time_goes():
    step = record("benchmarks/step")
    shares, speeds = [], []
    for name in NETWORKS:
        layers = [layer for layer in step["layers"] if layer["architecture"] == name]
        (conv,) = [layer for layer in layers if layer["kind"] == "Conv2D"]
        shares.append(f"{conv['microseconds'] / sum(layer['microseconds'] for layer in layers):.0%}")
        speeds.append(f"{1e6 * conv['flops'] / conv['microseconds'] / step['product_flops'][name]:.0%}")
    assert f"take {told(shares)} of the layers' time in `ghouzam`, `deotte` and `residual`" in PROSE
    assert f"reach {told(speeds)} of the speed of a large bfloat16 product" in PROSE
    added = [[100 * row[key] - 100 for key in ("ratio", "ratio_low", "ratio_high")] for row in step["rows"][1::2]]
    assert f"add {told([f'{x:.0f}% ({low:.0f} to {high:.0f})' for x, low, high in added])} to their arithmetic" in PROSE


def told(values):
    return " and ".join([", ".join(values[:-1]), values[-1]])


def test_the_start():
    start = record("benchmarks/start")
    seconds = [statistics.median(start[key]) for key in ("help_seconds", "first_steps_seconds")]
    assert f"`--help` takes {seconds[0]:.1f} s, the start until the first trained steps {seconds[1]:.0f} s" in PROSE


def test_the_blog_posts_way():
    original = record("benchmarks/original")
    ups = original["speed_ups"]
    told = f"{statistics.median(ups):.1f} times as long as ours for both arms ({min(ups):.1f} to {max(ups):.1f} "
    assert f"{told}over {len(ups)} epochs" in PROSE
    seconds = {(row["seed"], row["name"]): row["seconds"] for row in original["rows"]}
    costs = []
    for seed in range(3):
        both = zip(seconds[seed, "source, swish"], seconds[seed, "source, relu"], strict=True)
        costs.append(statistics.median(100 * swish / relu - 100 for swish, relu in both))
    assert f"costs {min(costs):.0f} to {max(costs):.0f}% for Swish" in PROSE
    gains = []
    for gain in original["accuracies"]:
        low, high = gain["interval"]
        assert low < 0 < high
        gains.append([f"{100 * value:+z.1f}" for value in (gain["difference"], low, high)])
    (relu, relu_low, relu_high), (swish, *span) = gains
    assert (
        f"{relu} points (95% {relu_low} to {relu_high}) with ReLU and {swish} ({' to '.join(span)}) with Swish" in PROSE
    )


@pytest.mark.parametrize("claim", ["swish", "pytorch", "step", "original", "start"])
def test_every_figure_has_its_command(claim):
    """The page has the command that the record names."""
    words = record(f"benchmarks/{claim}")["command"].partition(" --out")[0].split()
    assert all(word in PROSE for word in words), words
    assert f"benchmarks/{claim}.json" in TEXT
