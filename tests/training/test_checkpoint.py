import keras
import numpy as np
import pytest
from keras import ops

from pipeline.training.checkpoint import restore, save

HERE = {"config": "1a2b", "keras": "3.15.1", "tensorflow": "2.21.0"}


def variables(fill):
    return [
        keras.Variable(np.full((2, 3), fill, np.float32)),
        keras.Variable(np.array([fill, 7]), dtype="uint32", trainable=False),
    ]


def history(epochs):
    return [{"epoch": e, "loss": 0.1 + e / 3} for e in range(1, epochs + 1)]


def contents(vs):
    return [ops.convert_to_numpy(v).tolist() for v in vs]


def test_the_newest_is_restored_and_two_are_kept(tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path, HERE, variables(epoch), history(epoch))
    target = variables(0)
    assert restore(tmp_path, HERE, target) == (history(3), [])
    assert contents(target) == contents(variables(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]


def test_nothing_to_restore(tmp_path):
    target = variables(0)
    assert restore(tmp_path / "none", HERE, target) == ([], [])
    assert contents(target) == contents(variables(0))


def test_a_damaged_one_is_named_and_the_one_before_is_used(tmp_path):
    for damage in (
        lambda b: b[: len(b) // 2],
        lambda b: b[:200] + bytes(20) + b[220:],
        lambda b: b"",
        lambda b: b"x" * 99,
        lambda b: b.replace(b"PK\x01\x02", b"PK\x01\x02\x00\x00\xad", 1),  # a version of zip that nobody reads
    ):
        for epoch in (1, 2):
            save(tmp_path, HERE, variables(epoch), history(epoch))
        newest = tmp_path / "epoch-0002.npz"
        newest.write_bytes(damage(newest.read_bytes()))
        target = variables(0)
        found, warnings = restore(tmp_path, HERE, target)
        assert found == history(1)
        assert contents(target) == contents(variables(1))
        assert len(warnings) == 1
        assert "epoch-0002.npz is damaged" in warnings[0]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ({**HERE, "config": "3c4d"}, "config 3c4d (now 1a2b)"),
        (
            {**HERE, "keras": "3.13.2", "tensorflow": "2.20.0"},
            "keras 3.13.2 (now 3.15.1), tensorflow 2.20.0 (now 2.21.0)",
        ),
        ({"config": "1a2b", "keras": "3.15.1", "jax": "0.7"}, "tensorflow unknown (now 2.21.0), jax 0.7 (now none)"),
    ],
)
def test_what_was_made_with_something_else_is_not_used_and_the_difference_is_named(there, told, tmp_path):
    save(tmp_path, HERE, variables(1), history(1))
    save(tmp_path, there, variables(2)[:1], history(2))
    target = variables(0)
    found, warnings = restore(tmp_path, HERE, target)
    assert found == history(1)
    assert contents(target) == contents(variables(1))
    assert warnings == [f"checkpoint {tmp_path / 'epoch-0002.npz'} is not used, as it was made with {told}"]
