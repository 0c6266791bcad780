"""Votes of unequal weight, fitted on out-of-fold predictions.

Weights are fitted on validation rows only, never on held-back labels. What is fitted on rows cannot be judged on them:
evidence/selections.py measures the gain on others.

References: Caruana et al. 2004, "Ensemble selection from libraries of models" (greedy selection with replacement);
Breiman 1996, "Stacked regressions" (weights that are not negative). Both minimise the log loss of the vote.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, minimize

from pipeline.config.errors import RunError
from pipeline.config.schema import Vote
from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import soft_vote
from pipeline.ensemble.voters import Voters, voters_of
from pipeline.records.members import Member
from pipeline.records.scores import TINY, log_loss

ROUNDS = 50  # of greedy selection
TOLERANCE = 1e-12  # of SLSQP; with its default, 1e-6, it stops at equal weights where the log loss is near 0.02


def greedy_weights(of_truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights by greedy selection: one voter after another, each as often as it helps, up to the best ensemble.

    Args:
        of_truth: Probability that each voter gives to the right digit, shape (voters, n).

    Returns:
        Shape (voters,), not negative, sum 1.
    """
    counts, best_counts, best = np.zeros(len(of_truth)), np.zeros(len(of_truth)), np.inf
    total = np.zeros(of_truth.shape[1])
    for size in range(1, ROUNDS + 1):
        losses = [log_loss((total + voter) / size) for voter in of_truth]
        choice = int(np.argmin(losses))
        counts[choice] += 1
        total += of_truth[choice]
        if losses[choice] < best:
            best, best_counts = losses[choice], counts.copy()
    return best_counts / best_counts.sum()


def fitted_weights(of_truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights, not negative and of sum 1, whose vote has the lowest log loss; shapes as `greedy_weights`."""
    voters = len(of_truth)

    def loss(weights: NDArray[np.float64]) -> float:
        return log_loss(weights @ of_truth)

    def slope(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-(of_truth / np.maximum(weights @ of_truth, TINY)).mean(axis=1))

    found = minimize(
        loss,
        np.full(voters, 1 / voters),
        jac=slope,
        method="SLSQP",
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(np.ones(voters), 1, 1),
        options={"ftol": TOLERANCE},
    )
    weights = np.clip(found.x, 0, None)
    return weights / weights.sum()


METHODS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "greedy": greedy_weights,
    "fitted": fitted_weights,
}


def cast_votes(method: Vote, members: Sequence[Member], digits: Digits) -> NDArray[np.float64]:
    """The probabilities of the test images that members vote for, float64 of shape (m, 10).

    Raises:
        RunError: weights are asked for and there are not two voters to weigh.
    """
    if method == "equal":
        return soft_vote([member.test_probabilities for member in members])
    voters, weights = weighed(method, members, digits)
    return voters.vote(weights)


def weighed(method: Vote, members: Sequence[Member], digits: Digits) -> tuple[Voters, NDArray[np.float64]]:
    """The voters among members and their weights, shape (voters,), by `greedy` or `fitted`.

    Raises:
        RunError: there are not two voters to weigh, or no rows that all of them predicted.
    """
    voters = voters_of(members, digits)
    if voters is None or not len(voters.truth):
        raise RunError(
            f"--vote {method} needs two finished members, of another arm or seed, that were validated on the same "
            "rows. Nothing is lost: --vote equal writes the submission."
        )
    return voters, METHODS[method](probabilities_of_truth(voters.probabilities, voters.truth))


def probabilities_of_truth(probabilities: NDArray[np.float64], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The probability that each voter gives to the right digit, (voters, n), from (voters, n, 10) and digits (n,)."""
    return probabilities[:, np.arange(len(truth)), truth]
