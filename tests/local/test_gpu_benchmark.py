"""What `python -m benchmarks gpu` reads from a compiled module, and what it says where there is no GPU."""

import importlib.util
import json
import subprocess

import pytest

from benchmarks import gpu
from benchmarks.contest import Timing
from benchmarks.gpu import estimated_minutes
from benchmarks.t4 import ARITHMETIC, BANDWIDTH, LAUNCH, Kernel, estimate, loop_kernels
from pipeline.config.errors import RunError
from pipeline.config.presets import preset
from pipeline.config.schema import member_specs

# A loop of a fusion, a convolution with its workspace, and a branch; before it, work that is done once.
MODULE = """\
HloModule jit_run, is_scheduled=true

%fused (param_0: f16[64,32]) -> f16[64,32] {
  %param_0 = f16[64,32]{1,0} parameter(0)
  ROOT %mul = f16[64,32]{1,0} multiply(%param_0, %param_0)
}

%skipped (arg.1: (f32[100])) -> (f32[100]) {
  ROOT %arg.1 = (f32[100]{0}) parameter(0)
}

%applied (arg.2: (f32[100])) -> (f32[100]) {
  %arg.2 = (f32[100]{0}) parameter(0)
  %slot = f32[100]{0} get-tuple-element(%arg.2), index=0
  %fusion.9 = f32[100]{0} fusion(%slot, %slot), kind=kLoop, calls=%fused
  ROOT %tuple.2 = (f32[100]{0}) tuple(%fusion.9)
}

%body (state: (s32[], f16[64,32], f32[100])) -> (s32[], f16[64,32], f32[100]) {
  %state = (s32[], f16[64,32]{1,0}, f32[100]{0}) parameter(0)
  %x = f16[64,32]{1,0} get-tuple-element(%state), index=1
  %fusion.1 = f16[64,32]{1,0} fusion(%x), kind=kLoop, calls=%fused
  %conv = (f16[64,32]{1,0}, u8[1024]{0}) custom-call(%x, %fusion.1), custom_call_target="__cudnn$convBackwardFilter"
  %slots = (f32[100]{0}) tuple(%x)
  %conditional = (f32[100]{0}) conditional(%p, %slots, %slots), branch_computations={%skipped, %applied}
  ROOT %tuple = (s32[], f16[64,32]{1,0}, f32[100]{0}) tuple(%x)
}

%condition (state.1: (s32[], f16[64,32], f32[100])) -> pred[] {
  ROOT %less = pred[] compare(%a, %b), direction=LT
}

ENTRY %main (p0: f16[64,32]) -> f16[64,32] {
  %p0 = f16[64,32]{1,0} parameter(0)
  %copy = f16[64,32]{1,0} copy(%p0)
  %while = (s32[], f16[64,32]{1,0}, f32[100]{0}) while(%copy), condition=%condition, body=%body
  ROOT %out = f16[64,32]{1,0} get-tuple-element(%while), index=1
}
"""


def test_launches_and_bytes_of_one_turn_of_the_loop():
    tensor = 64 * 32 * 2
    assert loop_kernels(MODULE) == [
        Kernel("fusion", 2 * tensor),
        Kernel("backward_filter", 3 * tensor),  # its workspace does not count
        Kernel("fusion", 3 * 400),
    ]


def test_a_step_takes_its_launches_its_bytes_and_its_arithmetic():
    large, small = int(1e-3 * BANDWIDTH), 100
    step = estimate([Kernel("fusion", small), Kernel("forward", large)], arithmetic=2e-3)
    assert step.microseconds == pytest.approx((LAUNCH + 1e-3 + 2e-3) * 1e6)
    assert step.launches == 2
    assert step.convolutions == {"forward": 1, "backward_input": 0, "backward_filter": 0}
    assert step.megabytes == pytest.approx((large + small) / 1e6, abs=0.01)
    assert ARITHMETIC < 65e12  # what NVIDIA promises of a T4


@pytest.mark.parametrize(("name", "rows"), [("leaderboard", 42_000), ("study", 33_600)])  # a fifth validates
def test_all_steps_of_a_run_on_two_gpus(name, rows, monkeypatch, tmp_path):
    starts = tmp_path / "start.json"
    starts.write_text('{"first_steps_seconds": [1, 7, 90]}')
    monkeypatch.setattr(gpu, "STARTS", starts)
    config = preset(name)
    train, members = config.recipe.train, len(member_specs(config))
    found = estimated_minutes(config, {"microseconds": 1000, "compile_seconds": 30, "epoch_seconds": 0.5})
    epochs, start = train.epochs * members / 2, 7 + 30 * len(config.arms)
    best, worst = (rows // train.batch_size * epochs * step for step in (1e-3, 2e-3))
    worst += epochs * 0.5
    assert found["training_minutes"] == pytest.approx((best / 60, worst / 60), abs=0.1)
    assert found["minutes"] == pytest.approx(((best + start) / 60, (worst + 2 * start) / 60), abs=0.1)


def test_on_a_gpu_the_whole_run_comes_first_and_each_contest_is_kept(csv_source, tmp_path, monkeypatch):
    held, commands = [], []

    def hold(competitors, rounds):
        held.append([(c.name, c.processes) for c in competitors])
        if len(held) == 3:
            raise RunError("the card is gone")
        assert all(c.environment["JAX_COMPILATION_CACHE_DIR"] for c in competitors)
        return [Timing(c.name, 100, [1.0] * rounds, []) for c in competitors]

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(gpu, "hold", hold)
    monkeypatch.setattr(gpu, "environment", lambda: {"device kind": "gpu", "devices": "2"})
    monkeypatch.setattr(gpu, "find_spec", lambda _: None)
    monkeypatch.setattr(gpu.subprocess, "run", run)
    out = tmp_path / "gpu.json"
    with pytest.raises(RunError, match="the card is gone"):
        gpu.Gpu(data=str(csv_source), out=out, architectures=("deotte", "ghouzam"), batches=(20, 10)).run()
    assert held == [[("relu", 2), ("swish", 2)]] * 2 + [[("relu", 4), ("swish", 4)]]
    record = json.loads(out.read_text())
    assert [(row["architecture"], row["name"]) for row in record["rows"]] == [
        (architecture, arm) for architecture in ("deotte", "ghouzam") for arm in ("relu", "swish")
    ]
    (command,) = commands
    assert command[3:7] == ["run", "leaderboard", "--data", str(csv_source)]
    assert record["whole run"]["folder"] == command[-1]


def test_a_machine_without_a_gpu_says_what_it_could_not_do(tmp_path, monkeypatch, capsys):
    out = tmp_path / "gpu.json"
    monkeypatch.setattr(gpu, "environment", lambda: {"device kind": "cpu", "device": "a CPU"})
    gpu.Gpu(out=out, architectures=("deotte",), arms=("swish",)).run()
    record, told = json.loads(out.read_text()), capsys.readouterr().out
    assert "no GPU here, but a CPU" in told
    if not importlib.util.find_spec("jax_cuda12_plugin"):
        assert "jax-cuda12-plugin" in told
        assert "compiled for a T4" not in record
    else:
        (row,) = record["compiled for a T4"]
        # Of 7 convolutions, the first has no gradient by its input. XLA turns gradients of the last, whose result is
        # one pixel, into forward ones.
        assert sum(row["convolutions"].values()) == 7 + 6 + 7
        assert row["convolutions"]["forward"] >= 7
        assert row["launches"] > 20
        assert 0 < row["epoch_seconds"] < row["compile_seconds"]
