import keras
import numpy as np
from keras import ops

from pipeline.training.checkpoint import restore, save


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
        save(tmp_path, "key", variables(epoch), history(epoch))
    target = variables(0)
    assert restore(tmp_path, "key", target) == (history(3), [])
    assert contents(target) == contents(variables(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]


def test_nothing_to_restore(tmp_path):
    target = variables(0)
    assert restore(tmp_path / "none", "key", target) == ([], [])
    assert contents(target) == contents(variables(0))


def test_a_damaged_one_is_named_and_the_one_before_is_used(tmp_path):
    for damage in (
        lambda b: b[: len(b) // 2],
        lambda b: b[:200] + bytes(20) + b[220:],
        lambda b: b"",
        lambda b: b"x" * 99,
    ):
        for epoch in (1, 2):
            save(tmp_path, "key", variables(epoch), history(epoch))
        newest = tmp_path / "epoch-0002.npz"
        newest.write_bytes(damage(newest.read_bytes()))
        target = variables(0)
        found, warnings = restore(tmp_path, "key", target)
        assert found == history(1)
        assert contents(target) == contents(variables(1))
        assert len(warnings) == 1
        assert "epoch-0002.npz is damaged" in warnings[0]


def test_another_members_checkpoint_is_not_used(tmp_path):
    save(tmp_path, "other", variables(1), history(1))
    target = variables(0)
    found, warnings = restore(tmp_path, "key", target)
    assert found == []
    assert "another config, data or device" in warnings[0]
    assert contents(target) == contents(variables(0))
