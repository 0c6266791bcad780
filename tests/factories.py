"""What several tests make: members, pairs, drawn figures, constants of bundles. Loads no Keras."""

import ast
import io
from dataclasses import fields, is_dataclass, replace

import numpy as np

from pipeline.data.digits import CLASSES
from pipeline.evidence.pairs import Pair
from pipeline.evidence.verdict import compare_pairs
from pipeline.records.members import Member, read_member
from pipeline.records.readers import DamagedError
from pipeline.records.submission_record import SubmissionRecord, record_submission


def changed(content, **changes):
    """A config or a member's spec with other values in fields, at whatever depth they are."""
    held = {field.name: getattr(content, field.name) for field in fields(content)}
    held = {name: changed(value, **changes) if is_dataclass(value) else value for name, value in held.items()}
    return replace(content, **{name: changes.get(name, value) for name, value in held.items()})


NO_PROBABILITIES = np.zeros((0, CLASSES), np.float32)


def make_member(
    spec,
    arm="swish",
    seed=0,
    fold=0,
    *,
    rows=(),
    validation=NO_PROBABILITIES,
    test=NO_PROBABILITIES,
    history=(),
    fingerprints=None,
    environment=None,
    label=None,
):
    """A finished member: of that spec but for arm, seed and fold."""
    return Member(
        spec=replace(spec, activation=arm, seed=seed, fold=fold),
        history=list(history),
        validation_rows=np.array(rows, np.int64),
        validation_probabilities=np.asarray(validation, np.float32),
        test_probabilities=np.asarray(test, np.float32),
        environment=environment or {},
        fingerprints=fingerprints or {},
        label=label,
    )


def votes(voters, missing=0, runs=None, scores=None):
    """The record of a submission for which so many networks of one run, or of each of a blend's, voted."""
    ids = [f"swish-s{seed}-f0" for seed in range(voters)]
    return SubmissionRecord(dict.fromkeys(runs or ("x",), ids), missing, runs or {}, scores)


def record_votes(folder, voters, missing=0, runs=None, scores=None):
    """Record the submission that a folder holds."""
    record_submission(folder, folder.submission, votes(voters, missing, runs, scores))


def damage(folder, spec, data_digest):
    """Why a folder is not this member, finished and whole; None when it is."""
    try:
        read_member(folder, spec, data_digest)
    except DamagedError as error:
        return str(error)


IMAGES = 2000


def pair(ones=0, minus=0, images=IMAGES, fold=0, ratio=1.0, seed=0, by_epoch=(), surer=()):
    """A pair in which the first is right alone on `ones` images, and the second on `minus` others; of its fold's.

    On the first images, the second gives `surer` more probability to wrong digits.
    """
    difference = np.zeros(images, np.int8)
    difference[:ones] = 1
    difference[ones : ones + minus] = -1
    wrong = np.zeros(images)
    wrong[: len(surer)] = surer
    numbers = 100_000 * fold + np.arange(images)
    return Pair(seed, fold, numbers, difference, wrong, -np.log1p(-wrong), ratio, np.array(by_epoch))


def compared(*pairs):
    (result,) = compare_pairs({("swish", "relu"): pairs})
    return result


def drawn(plot):
    """The axes of a plot, which can be drawn and has its words."""
    stream = io.BytesIO()
    plot.figure.savefig(stream, format="png")
    assert stream.getbuffer().nbytes > 3000
    assert len(plot.alt) > 20
    assert len(plot.caption) > 40
    return plot.figure.axes


def constants(text):
    """The literals at the top of a bundle."""
    return {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("CONFIG", "IDENTITY")
    }
