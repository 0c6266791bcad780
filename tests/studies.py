"""Studies without training: members that guess, with all that a report is made of."""

from dataclasses import replace

import numpy as np
from factories import make_member

from pipeline.config.schema import member_specs
from pipeline.data.folds import split_rows
from pipeline.evidence.comparison import Arm, Comparison, Ensemble, compare
from pipeline.evidence.fairness import Fairness
from pipeline.records.scores import Score
from pipeline.report.findings import Findings


def findings_of(digits, config, failed=(), sharpness=1.0, **more):
    """What a config's members came to; those of the ids in `failed` are missing. Sharper ones guess better."""
    specs = member_specs(config)
    members = [_guess(spec, digits, number, sharpness) for number, spec in enumerate(specs) if spec.id not in failed]
    comparison = compare(members, digits, dict.fromkeys(failed, "<worker> died"))
    return Findings([config], digits, members, comparison, missing=len(failed), **more)


def compared_arms(arms, *paired, fairness=None, score=None):
    """A comparison of arms that holds these results of pairs, and nothing else."""
    return Comparison(
        arms=[Arm(arm, 2, [], [], 1.0) for arm in arms],
        ensembles=[Ensemble("all", 2 * len(arms), None, score, None)],
        paired=list(paired),
        fairness=fairness or Fairness([], [], []),
        same_size=[],
        failed={},
    )


SCORE = Score(100, 3)


def _guess(spec, digits, number, sharpness):
    generator = np.random.default_rng(number)
    _, rows = split_rows(spec, digits)
    epochs = [
        {"epoch": e, "loss": 0.1 + 1 / e, "learning_rate": 1e-3, "seconds": 2 + generator.random()}
        for e in range(1, spec.recipe.train.epochs + 1)
    ]
    if spec.fold is not None:
        epochs = [{**e, "validation_accuracy": 0.9 - 0.3 / e["epoch"] + 0.01 * generator.random()} for e in epochs]
    return make_member(
        spec,
        spec.activation,
        spec.seed,
        spec.fold,
        rows=rows,
        validation=_probabilities(generator, digits.labels[rows], sharpness),
        test=_probabilities(generator, np.resize(digits.labels, len(digits.image_ids)), sharpness),
        history=epochs,
        fingerprints=dict.fromkeys(("rows", "draws", "initial_weights", "dropout"), f"{spec.seed} {spec.fold}"),
        environment={"device": "<a chip>", "precision": "float32"},
    )


def _probabilities(generator, truth, sharpness):
    """Surer of the right digit than of others, but, if no sharper than 1, wrong about as often as right."""
    logits = 2 * generator.normal(size=(len(truth), 10))
    logits[np.arange(len(truth)), truth] += sharpness
    probabilities = np.exp(logits)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def with_held_back(digits):
    """The same digits, with labels of the images to predict."""
    return replace(digits, held_back_labels=np.resize(digits.labels, len(digits.image_ids)))
