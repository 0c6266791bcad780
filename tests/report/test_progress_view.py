import io
import math
import re
from dataclasses import replace

from factories import changed
from rich.console import Console

from pipeline.device.accelerator import Device
from pipeline.report.progress_view import ProgressView
from pipeline.training.messages import Progress

STEP = Progress(epoch=1, step=2, steps=4, loss=0.5, accuracy=0.75)
RECORD = {"epoch": 1, "seconds": 2.5, "validation_accuracy": 0.9}
EPOCH = Progress(epoch=1, step=4, steps=4, loss=0.4, accuracy=0.8, record=RECORD)


def shown(spec, terminal, *reports):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=150)
    with ProgressView(console) as view:
        view.begin([spec, spec, spec], 8)
        for report in reports:
            view.watch(spec, report)
        view.warn("look [here]")
    return stream.getvalue()


def test_a_log_gets_plain_lines_once_per_epoch(spec):
    assert shown(spec, False, STEP, STEP, EPOCH).splitlines() == [
        "3 of 8 members are finished already",
        "[4/8] swish-s0-f0: ghouzam, 3 epochs",
        "  swish-s0-f0 epoch 1/3 loss 0.4000 accuracy 0.8000 validation 0.9000 2.5 s/epoch",
        "WARNING: look [here]",
    ]


def test_a_terminal_gets_a_bar_with_loss_accuracy_and_seconds(spec):
    text = shown(spec, True, STEP, EPOCH)
    for part in ("[4/8] swish-s0-f0", "━", "loss 0.4000", "accuracy 0.8000", "2.5 s/epoch"):
        assert part in text


def test_a_members_warning_is_not_overlooked(spec):
    warning = Progress(1, 0, 4, math.nan, math.nan, warning="checkpoint x is damaged")
    assert "WARNING: swish-s0-f0: checkpoint x is damaged" in shown(spec, False, warning)


def test_the_device_is_named_once_with_the_precision_on_it(spec):
    device = Progress(0, 0, 4, math.nan, math.nan, device=Device("gpu", "Tesla T4", 2, "mixed_float16"))
    auto = changed(spec, precision="auto")
    assert shown(auto, False, device, device).count("device: 2 x Tesla T4, mixed_float16") == 1
    assert "device: 2 x Tesla T4, float32" in shown(spec, False, device)


def test_the_speed_and_the_end_are_told_from_the_second_epoch_on(spec):
    first, second, third = (replace(EPOCH, epoch=e, record=RECORD | {"epoch": e, "seconds": 16.0}) for e in (1, 2, 3))
    lines = [line for line in shown(spec, False, first, second, third).splitlines() if "images/s" in line]
    # 4 steps of 20 images in 16 s; 5 networks of 3 epochs less those that are done.
    assert [re.sub("at .*", "at", line) for line in lines] == [
        "  5 images/s; the training should end in 3 min, at",
        "  5 images/s; the training should end in 3 min, at",
    ]
    assert re.search(r"at \d\d:\d\d ", lines[0])
