from dataclasses import asdict, replace

import numpy as np
import pytest
from factories import changed
from scipy.special import softmax

from benchmarks.screening import Screening, Setting, effects_of, read_setting, scaled_losses
from pipeline.config.errors import UserError
from pipeline.config.schema import AugmentConfig, settings


def setting(config, errors, rows=1000):
    """Arms with so many errors each, and losses of a tenth of their share."""
    wrong = np.stack([np.arange(rows) < count for count in errors], axis=1)
    return Setting(
        config.name, config.arms, np.arange(rows), settings(asdict(config.recipe)), wrong, 0.1 * wrong, wrong[:, 0]
    )


def test_effects_are_differences_of_halves_and_the_arms_give_their_error(tiny):
    """Two factors, one of two fields; by hand: relu +6 and swish +2 for the first, -1 and -1 for the second."""
    bent = AugmentConfig(elastic=1, shear=10)
    wide = {"width": 2}
    settings = [
        setting(tiny, (10, 20)),
        setting(changed(tiny, augment=bent), (16, 22)),
        setting(changed(tiny, **wide), (9, 19)),
        setting(changed(tiny, augment=bent, **wide, name="other", seeds=5), (15, 21)),
    ]
    width, distortion = effects_of(settings)
    assert width["factor"] == "width 1 > 2"
    assert distortion["factor"] == "augment.shear 0.0 > 10, augment.elastic 0.0 > 1"
    assert (distortion["errors"], width["errors"]) == (4.0, -1.0)
    # The arms' estimates are 4 ± 2 and -1 ± 0 apart: sqrt((2² + 0²) / 2).
    assert distortion["se of errors"] == width["se of errors"] == pytest.approx(2**0.5, abs=0.005)
    assert distortion["log loss"] == pytest.approx(4 / 1000 / 10)


def test_a_setting_without_halves_has_no_effect(tiny):
    three = [setting(tiny, (1, 2)), setting(tiny, (2, 3)), setting(changed(tiny, width=2), (3, 4))]
    assert effects_of(three) == []


def test_a_factor_mixed_with_another_has_no_effect(tiny):
    """Half of four runs are wide, but they are also the longer ones, or the lengths are three."""
    for lengths in ((1, 1, 1, 2), (1, 2, 3, 1)):
        settings = [
            setting(changed(tiny, width=width, epochs=epochs), (10, 20))
            for width, epochs in zip((1, 1, 2, 2), lengths, strict=True)
        ]
        assert effects_of(settings) == []
    lengths = (1, 2, 1, 2)
    settings = [
        setting(changed(tiny, width=width, epochs=epochs), (10, 20))
        for width, epochs in zip((1, 1, 2, 2), lengths, strict=True)
    ]
    assert len(effects_of(settings)) == 2


def test_scaling_undoes_a_wrong_temperature_by_the_other_half():
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2, (4000, 10))
    truth = softmax(logits, axis=1)
    labels = np.array([generator.choice(10, p=p) for p in truth])
    best = -np.log(truth[np.arange(4000), labels]).mean()
    for temperature in (0.3, 1, 3):
        losses = scaled_losses(softmax(logits / temperature, axis=1), labels)
        assert losses.mean() == pytest.approx(best, abs=0.003)
    # The even rows scale the odd ones: labels of odd rows leave the odd rows' temperature alone.
    other = labels.copy()
    other[1] = (labels[1] + 1) % 10
    changed = scaled_losses(truth, other) != scaled_losses(truth, labels)
    assert changed[::2].all()
    assert changed[1::2].nonzero()[0].tolist() == [0]


def test_one_arm_has_no_standard_error_and_so_no_effects(tiny):
    one = replace(tiny, arms=("relu",))
    assert effects_of([setting(one, (1,)), setting(changed(one, width=2), (3,))]) == []


def test_runs_that_cannot_be_screened_are_refused(make_run, tiny, tmp_path):
    one = replace(tiny, seeds=1, folds_used=1)
    first = make_run(one)
    others = {
        "is no run's folder": tmp_path,
        "the arms of other are elu, gelu, and those of tiny": replace(one, name="other", arms=("elu", "gelu")),
        "other and tiny validate on different rows": changed(one, name="other", split_seed=1),
        "two runs are called tiny": changed(one, width=2),
        "has no validation rows": changed(one, name="other", folds=0, folds_used=0),
        "has more than one network per arm": replace(one, name="other", seeds=2),
    }
    for told, other in others.items():
        with pytest.raises(UserError, match=told):
            Screening((first, other if other is tmp_path else make_run(other))).run()
    with pytest.raises(UserError, match="at least one run's folder"):
        Screening(()).run()


def test_a_network_whose_predictions_were_changed_is_refused(make_run, tiny):
    run = make_run(replace(tiny, seeds=1, folds_used=1))
    predictions = run / "members/relu-s0-f0/validation_probabilities.npy"
    np.save(predictions, np.load(predictions)[::-1])
    with pytest.raises(UserError, match="is not finished: .*validation_probabilities.npy"):
        read_setting(run)
