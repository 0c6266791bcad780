import json
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from pipeline.training.checkpoint import epochs_done, restore, save

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


@pytest.fixture
def two(tmp_path):
    """Checkpoints of two epochs; the newest."""
    for epoch in (1, 2):
        save(tmp_path, HERE, variables(epoch), history(epoch))
    return tmp_path / "epoch-0002.npz"


def the_one_before_is_used(newest, words="epoch-0002.npz is damaged"):
    target = variables(0)
    found, warnings = restore(newest.parent, HERE, target)
    assert found == history(1)
    assert contents(target) == contents(variables(1))
    assert len(warnings) == 1
    assert words in warnings[0]


@pytest.mark.parametrize("damage", [
    lambda b: b[: len(b) // 2],
    lambda b: b"",
    lambda b: b.replace(b"PK\x01\x02", b"PK\x01\x02\x00\x00\xad", 1),  # a version of zip that nobody reads
])  # fmt: skip
def test_a_damaged_one_is_named_and_the_one_before_is_used(damage, two):
    two.write_bytes(damage(two.read_bytes()))
    the_one_before_is_used(two)


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(two, tmp_path):
    """In the header of an array NumPy would raise a SyntaxError or a TokenError."""
    whole, target = two.read_bytes(), variables(0)
    for position in range(0, len(whole), 11):
        two.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << position % 8]) + whole[position + 1 :])
        found, _ = restore(tmp_path, HERE, target)
        assert contents(target) == contents(variables(len(found)))
        assert found in (history(1), history(2))


@pytest.mark.parametrize("changed", [
    {"0000": np.zeros((3, 2), np.float32)},
    {"0000": np.zeros((2, 3), np.float64)},
    {"0001": np.array([2, 7], object)},
    {"meta": np.array("[" * 100_000)},
    {"meta": np.array("3")},
    {"meta": np.array('{"made_with": ' + json.dumps(HERE) + ', "history": [{"epoch": 2}]}')},
    {"extra": np.zeros(10**8 // 8)},
], ids=["shape", "dtype", "pickle", "nested", "no object", "history", "large"])  # fmt: skip
def test_what_was_never_written_is_not_read(changed, two):
    with np.load(two) as content:
        np.savez_compressed(two, **{**content, **changed})
    the_one_before_is_used(two)


def test_a_folder_in_its_place(two):
    two.unlink()
    two.mkdir()
    the_one_before_is_used(two, "epoch-0002.npz cannot be read (Is a directory)")


def test_copies_under_other_names_are_none_of_ours(two, tmp_path):
    for name in ("epoch-0002 (conflicted copy).npz", "epoch-0003 (1).npz", ".epoch-0003.npz.1.part", "epoch-x.npz"):
        shutil.copy(two, tmp_path / name)
    assert epochs_done(tmp_path) == 2
    assert restore(tmp_path, HERE, variables(0)) == (history(2), [])
    assert epochs_done(tmp_path / "none") == 0


def test_those_of_another_config_do_not_crowd_out_ours(tmp_path):
    for epoch in (8, 9):
        save(tmp_path, {**HERE, "config": "3c4d"}, variables(epoch), history(epoch))
    for epoch in (1, 2, 3):
        save(tmp_path, HERE, variables(epoch), history(epoch))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (
            {**HERE, "keras": "3.13.2", "tensorflow": "2.20.0"},
            "keras 3.13.2 (now 3.15.1), tensorflow 2.20.0 (now 2.21.0)",
        ),
        ({"config": "1a2b", "keras": "3.15.1", "jax": "0.7"}, "tensorflow unknown (now 2.21.0), jax 0.7 (now none)"),
    ],
)
def test_what_was_made_with_something_else_is_not_used_and_the_difference_is_named(there, words, tmp_path):
    save(tmp_path, HERE, variables(1), history(1))
    save(tmp_path, there, variables(2)[:1], history(2))
    target = variables(0)
    found, warnings = restore(tmp_path, HERE, target)
    assert found == history(1)
    assert contents(target) == contents(variables(1))
    assert warnings == [f"checkpoint {tmp_path / 'epoch-0002.npz'} is not used, as it was made with {words}"]
