import io
import math

from rich.console import Console

from pipeline.report.progress_view import ProgressView
from pipeline.training.messages import Progress

STEP = Progress(epoch=1, step=2, steps=4, loss=0.5, accuracy=0.75)
RECORD = {"epoch": 1, "seconds": 2.5, "validation_accuracy": 0.9}
EPOCH = Progress(epoch=1, step=4, steps=4, loss=0.4, accuracy=0.8, record=RECORD)


def shown(spec, terminal, *reports):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=150)
    with ProgressView(console) as view:
        view.begin(3, 8)
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
