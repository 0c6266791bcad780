import io
import math
import re
from dataclasses import replace
from types import SimpleNamespace

from rich.console import Console

from pipeline.device.accelerator import Device
from pipeline.report import progress_view
from pipeline.report.progress_view import LOADING, ProgressView
from pipeline.training.messages import Progress

STEP = Progress(epoch=1, step=2, steps=4, loss=0.5, accuracy=0.75)
RECORD = {"epoch": 1, "seconds": 2.5, "validation_accuracy": 0.9}
EPOCH = Progress(epoch=1, step=4, steps=4, loss=0.4, accuracy=0.8, record=RECORD)


def shown(spec, terminal, *reports, width=80):
    """What is printed; on a terminal, what is drawn after each report too."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width, height=24)
    with ProgressView(console) as view:
        view.begin([spec, spec, spec], 8)
        for report in reports:
            view.watch(spec, report)
            if terminal:
                view._live.refresh()
        view.warn("look [here]")
    return stream.getvalue()


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_a_log_gets_a_line_with_a_time_for_each_epoch_of_a_network(spec):
    lines = shown(spec, False, STEP, STEP, EPOCH).splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d", "TIME", line) for line in lines] == [
        "3 of 8 networks are finished already",
        "TIME  swish-s0-f0  epoch 1/3  loss 0.4000  accuracy 0.8000  validation 0.9000  s/epoch 2.5",
        "WARNING: look [here]",
    ]


def test_a_network_that_failed_is_neither_trained_nor_to_be_waited_for(spec):
    stream = io.StringIO()
    other, third = replace(spec, seed=1), replace(spec, seed=2)
    with ProgressView(Console(file=stream, width=200)) as view:
        view.begin([], 3)
        view.watch(spec, EPOCH)
        view.failed(spec, "the loss is no number")
        for member in (other, third):
            view.watch(member, EPOCH)
            view.finished(member)
    assert f"WARNING: {spec.id} failed and is left out: the loss is no number" in stream.getvalue()
    assert view.images_per_second == 4 * spec.recipe.train.batch_size / 2.5  # one at a time
    assert view._epochs_done() == view._total * view._epochs


def test_a_log_says_how_long_it_takes_once_an_epoch_was_measured(spec, monkeypatch):
    """From the first report on, which comes when libraries are loaded and programs compiled; two networks at a time."""
    clock = iter([100.0, 101.0, 120.0, 140.0])
    monkeypatch.setattr(progress_view, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    stream = io.StringIO()
    other, second = replace(spec, seed=1), replace(EPOCH, epoch=2)
    with ProgressView(Console(file=stream, width=80)) as view:
        view.begin([], 4)
        for member, report in ((spec, STEP), (other, STEP), (spec, EPOCH), (other, second)):
            view.watch(member, report)
    # Half an epoch, then 2 of 12 in 40 s: the other 9 take 180 s.
    assert [line.partition("s/epoch 2.5")[2] for line in stream.getvalue().splitlines()] == ["", "  3 min left"]
    assert view.images_per_second == 2 * 4 * spec.recipe.train.batch_size / 2.5


def test_something_moves_on_a_terminal_before_the_first_step(spec):
    stream = io.StringIO()
    with ProgressView(Console(file=stream, force_terminal=True, width=80)) as view:
        view._live.refresh()
    assert LOADING in stream.getvalue()


def test_a_terminal_gets_a_bar_of_the_whole_and_columns_with_names(spec):
    text = plain(shown(spec, True, STEP, replace(EPOCH, epoch=2)))
    assert re.search(r"all +[━╸╺]+ +10 of 24 epochs", text)  # 3 of 8 networks, and of this one almost an epoch
    assert "11 of 24 epochs" in text
    assert re.search(r"network +epoch +loss +accuracy +validation +s/epoch", text)
    assert re.search(r"swish-s0-f0 +2/3 +0\.4000 +0\.8000 +0\.9000 +2\.5", text)
    assert "images/s" in text
    assert "left" in text
    narrow = plain(shown(spec, True, EPOCH, width=40))
    assert re.search(r"network +epoch +loss", narrow)
    assert "s/epoch" not in narrow


def test_a_finished_network_leaves_the_table(spec):
    stream = io.StringIO()
    with ProgressView(Console(file=stream, force_terminal=True, width=80)) as view:
        view.begin([], 2)
        view.watch(spec, EPOCH)
        view.watch(replace(spec, seed=1), STEP)
        view.finished(spec)
        stream.truncate(0)
        view._live.refresh()
    assert "swish-s0-f0" not in stream.getvalue()
    assert "swish-s1-f0" in stream.getvalue()
    assert view.trained == 1


def test_a_members_warning_is_not_overlooked(spec):
    warning = Progress(1, 0, 4, math.nan, math.nan, warning="checkpoint x is damaged")
    assert "WARNING: swish-s0-f0: checkpoint x is damaged" in shown(spec, False, warning)


def test_the_device_is_named_once_with_the_precision_on_it(spec):
    device = Progress(0, 0, 4, math.nan, math.nan, device=Device("gpu", "Tesla T4", 2, "mixed_float16"))
    auto = replace(spec, recipe=replace(spec.recipe, train=replace(spec.recipe.train, precision="auto")))
    assert shown(auto, False, device, device).count("device: 2 x Tesla T4, mixed_float16") == 1
    assert "device: 2 x Tesla T4, float32" in shown(spec, False, device)
