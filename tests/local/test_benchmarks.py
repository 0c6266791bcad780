"""What the benchmarks compute and refuse; never a time."""

import json
import statistics
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from conftest import ROOT, environment

from benchmarks.__main__ import main
from benchmarks.contest import Competitor, Timing, hold
from benchmarks.original import gain_of
from benchmarks.ours import epoch_images, specs_of, training_images
from benchmarks.plot import Plot
from benchmarks.record import rows_of
from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import TrainConfig

NAP = 0.3


def test_competitors_take_turns_and_processes_of_one_work_together(tmp_path):
    diary = tmp_path / "diary"
    short = Competitor("short", "competitors:napping", (NAP, diary), images=100)
    pair = Competitor("pair", "competitors:napping", (2 * NAP, diary), images=100, processes=2)
    one, two = hold([short, pair], rounds=3)
    assert (one.last_reports, two.last_reports) == ([(0, 3)], [(0, 3), (1, 3)])
    assert all(s >= NAP for s in one.seconds)
    assert all(s >= 2 * NAP for s in two.seconds)
    naps = sorted(tuple(map(float, line.split())) for line in diary.read_text().splitlines())[3:]  # not the first epoch
    for turn in range(3):
        (_, end), (first, first_end), (second, second_end) = naps[3 * turn : 3 * turn + 3]
        assert end <= min(first, second)
        assert max(first, second) < min(first_end, second_end)


def test_a_competitor_that_fails_is_named_with_its_last_words():
    with pytest.raises(RunError, match=r"'weak' ended before the contest did:\nthe reason"):
        hold([Competitor("weak", "competitors:failing", (), 1)], rounds=1)


def test_times_are_per_image_and_ratios_per_round():
    alone = Timing("alone", 100, [1.0, 2.0, 4.0], [])
    pair = Timing("pair", 200, [3.0, 2.0, 4.0], [])
    assert (alone.microseconds_per_image, pair.microseconds_per_image) == (20_000, 15_000)
    assert pair.ratios_to(alone) == [1.5, 0.5, 0.5]
    row = rows_of([alone, pair], batch=86)[1]
    assert (row["batch"], row["ratio"], row["ratio_low"], row["ratio_high"]) == (86, 0.5, 0.5, 1.5)
    assert row["images_per_second"] == round(1e6 / 15_000)


def test_gain_has_students_interval_and_none_from_one_seed():
    pairs = [(0.99, 0.98), (0.98, 0.98), (0.99, 0.97)]
    gain = gain_of("relu", pairs)
    differences = [0.01, 0.0, 0.02]
    half = 4.302653 * statistics.stdev(differences) / 3**0.5  # Student's t for two degrees of freedom
    assert gain["difference"] == pytest.approx(0.01)
    assert gain["interval"] == pytest.approx([0.01 - half, 0.01 + half], abs=1e-5)
    assert gain_of("relu", pairs[:1])["interval"] is None


def test_an_epoch_is_the_whole_batches_outside_of_the_fold(csv_source):
    (spec,) = specs_of("ghouzam", ("relu",), TrainConfig(batch_size=20))
    assert (training_images(spec, str(csv_source)), epoch_images(spec, str(csv_source))) == (90, 80)


@pytest.mark.slow
def test_a_record_says_what_was_done_and_where_the_time_goes(csv_source, tmp_path):
    """One benchmark as it is run: its contest between a whole epoch and bare arithmetic, and its layers."""
    pytest.importorskip("tensorflow", reason="layers are timed in TensorFlow's graphs")
    out = tmp_path / "step.json"
    done = benchmark("step", "--data", csv_source, "--out", out, "--rounds", 1, "--architectures", "ghouzam",
                     "--batch", 20)  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(out.read_text())
    assert record["claim"] == "step"
    assert record["command"].startswith("python -m benchmarks step --data")
    assert record["environment"]["device"]
    assert [(row["name"], row["rounds"], row["images"]) for row in record["rows"]] == [
        ("arithmetic only", 1, 80),
        ("whole epoch", 1, 80),
    ]
    assert "ratio to arithmetic only" in done.stdout
    flops = {layer["kind"]: layer["flops"] for layer in record["layers"]}
    assert flops["Dense"] == 6 * (3136 * 256 + 256 * 10)
    assert flops["Conv2D"] == 6 * (28**2 * 25 * (32 + 32 * 32) + 14**2 * 9 * (32 * 64 + 64 * 64))
    assert flops["Dropout"] == 0
    assert all(layer["microseconds"] > 0 for layer in record["layers"])
    assert record["product_flops"]["ghouzam"] > 1e8
    assert {layer["precision"] for layer in record["layers"]} <= {"float32", "mixed_bfloat16"}


def test_the_sources_way_trains_the_same_network_on_every_row_in_every_epoch(csv_source):
    pytest.importorskip("tensorflow", reason="Keras's fit is compared on its default backend")
    from benchmarks.keras_fit import network, plain_swish
    from pipeline.network.architectures import ghouzam

    ours, theirs = ghouzam("swish", 0), network("swish")
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(theirs(pixels / 255), ours(pixels), atol=1e-5)
    assert float(plain_swish(np.float32(2))) == pytest.approx(2 / (1 + np.exp(-2)))

    (spec,) = specs_of("ghouzam", ("swish",), TrainConfig(batch_size=20))
    source = Competitor("source", "benchmarks.keras_fit:train", (spec, str(csv_source)), 90)
    (timing,) = hold([source], rounds=2)
    assert 0 <= timing.last_reports[0]["validation_accuracy"] <= 1


def test_a_residual_networks_layers_can_be_timed_too(monkeypatch):
    tf = pytest.importorskip("tensorflow", reason="layers are timed in TensorFlow's graphs")
    import keras

    from benchmarks import layers
    from pipeline.network.architectures import residual

    monkeypatch.setattr(layers, "REPETITIONS", 1)
    network = residual("relu", 0)
    assert sum(map(layers.flops, network.layers[1:])) == pytest.approx(498e6, rel=0.01)
    adding = next(layer for layer in network.layers if isinstance(layer, keras.layers.Add))
    assert layers._step_seconds(tf, adding, [(4, 28, 28, 64)] * 2) > 0


@pytest.mark.parametrize("architecture", ["ghouzam", "deotte", "residual"])
def test_pytorchs_networks_are_the_same(architecture):
    torch = pytest.importorskip("torch", reason="PyTorch is a requirement of the benchmarks only")
    from benchmarks.torch_training import NETWORKS
    from pipeline.network.architectures import ARCHITECTURES

    ours, theirs = ARCHITECTURES[architecture]("relu", 0, "float32"), NETWORKS[architecture](torch.nn.ReLU)
    trainable = [w.shape for w in ours.trainable_weights]
    assert sum(p.numel() for p in theirs.parameters()) == sum(int(np.prod(shape)) for shape in trainable)
    assert theirs(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_pytorch_trains_beside_ours(csv_source, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is a requirement of the benchmarks only")
    out = tmp_path / "pytorch.json"
    done = benchmark("pytorch", "--data", csv_source, "--out", out, "--rounds", 1, "--batch", 20,
                     "--architectures", "deotte")  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = [row["name"] for row in json.loads(out.read_text())["rows"]]
    assert [name.split()[:2] for name in names] == [
        *[["ours", "relu,"], *[["PyTorch", "relu,"]] * 2],
        *[["ours", "swish,"], *[["PyTorch", "silu,"]] * 2],
    ]


@pytest.mark.slow
def test_swish_is_timed_in_a_contest_of_each_precision(csv_source, tmp_path):
    out = tmp_path / "swish.json"
    done = benchmark("swish", "--data", csv_source, "--out", out, "--rounds", 1, "--architectures", "ghouzam",
                     "--batch", 20, "--precisions", "float32", "auto", "--arms", "relu", "swish",
                     "--processes", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    assert [(r["precision"], r["name"], r["images"]) for r in rows] == [
        (precision, arm, 80) for precision in ("float32", "auto") for arm in ("relu", "swish")
    ]
    assert rows[0]["ratio"] == rows[2]["ratio"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["swish", "--out", "."], "--out must name a file. Received the folder ."),
        (["swish", "--rounds", 0], "--rounds must be at least 1. Received: 0"),
        (["swish", "--arms", "relu", "swich"], "did you mean 'swish'?"),
        (["swish", "--data", "nowhere.zip"], "nowhere.zip"),
        (["swish", "--batch", 5000], "train.batch_size is 5000, but a network has only 2700 rows"),
        (["swish", "--arms"], "--arms must name at least one"),
        (["start", "--data", "nowhere.zip"], "nowhere.zip"),
        (["publish", "nowhere", "--out", "record"], "nowhere is no run's folder"),
        (["plot", "--records", "nowhere"], "nowhere/swish.json is missing; python -m benchmarks swish writes it."),
    ],
)
def test_a_users_mistake_is_told_in_a_sentence(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert words in capsys.readouterr().err


def test_the_picture_shows_the_records(tmp_path):
    def row(architecture, name, ratio):
        return {"architecture": architecture, "precision": "float32", "name": name, "ratio": ratio,
                "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1,
                "microseconds_per_image": 100 * ratio}  # fmt: skip

    for claim, names in (("swish", ("relu", "swish")), ("pytorch", ("ours relu", "PyTorch relu"))):
        rows = [row(a, name, 1 + 0.2 * i) for a in ("ghouzam", "deotte") for i, name in enumerate(names)]
        (tmp_path / f"{claim}.json").write_text(json.dumps({"rows": rows}))
    Plot(tmp_path / "deep" / "speed.png", tmp_path).run()
    assert matplotlib.image.imread(tmp_path / "deep" / "speed.png").shape[:2] == (720, 1320)
    (tmp_path / "pytorch.json").write_text("{}")
    with pytest.raises(UserError, match="pytorch.json is not the record of a benchmark"):
        Plot(tmp_path / "speed.png", tmp_path).run()


def benchmark(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200)
