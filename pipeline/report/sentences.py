"""The outcome of a comparison in sentences, the headline first."""

from collections.abc import Mapping

from pipeline.evidence.comparison import Comparison
from pipeline.evidence.fairness import REQUIRED, Fairness, Shared, Unequal
from pipeline.evidence.intervals import FEWEST_PAIRS, LEVEL, Interval
from pipeline.evidence.same_size import SameSize
from pipeline.evidence.verdict import MARGIN, Paired, Verdict
from pipeline.report.words import count

SHARED = {
    Shared.ROWS: "the training and validation rows",
    Shared.DRAWS: "the order and the augmentation of every image",
    Shared.INITIAL_WEIGHTS: "the initial weights",
    Shared.DROPOUT: "the dropout draws",
    Shared.LEARNING_RATES: "the learning rates",
    Shared.PRECISION: "the precision",
    Shared.DEVICE: "the kind of processor",
}

JOINT = "Several studies read as one: this was not planned before the first of them, so its intervals are a hint."
MOST_NAMED = 6  # members that are left out


def comparison_lines(comparison: Comparison) -> list[str]:
    """All that a comparison says in words, the headlines first."""
    return [
        *(f"{headline(result)}: {details(result)}" for result in comparison.paired),
        *fairness_lines(comparison.fairness),
        *map(same_size_line, comparison.same_size),
    ]


def headline(result: Paired) -> str:
    """The verdict in words."""
    first, second = result.first, result.second
    return {
        Verdict.FIRST_BETTER: f"{first} is better than {second}",
        Verdict.SECOND_BETTER: f"{second} is better than {first}",
        Verdict.EQUIVALENT: f"{first} and {second} are equally good within {MARGIN} points",
        Verdict.NOT_SHOWN: f"no difference between {first} and {second} is shown",
        Verdict.TOO_FEW_PAIRS: f"{first} against {second}, no verdict: it takes {FEWEST_PAIRS} pairs, there "
        f"{'is' if len(result.points) == 1 else 'are'} {len(result.points)}",
    }[result.verdict]


def details(result: Paired) -> str:
    """The numbers behind the headline, in a few sentences."""
    pairs = count(len(result.points), "pair")
    text = f"{result.difference:+z.3f} points"  # z: a mean that rounds to zero has no sign
    if result.interval and result.equivalence_interval:
        text += (
            f" ({percent(result.level)} interval {_range(result.interval)}, {percent(2 * result.level)} "
            f"{_range(result.equivalence_interval)}, over seeds and images)"
        )
    text += f" over {pairs} and {result.images:,} images; {result.first} ahead in {result.first_ahead} of {pairs}, "
    text += f"{result.second} in {result.second_ahead}."
    if (tests := round(LEVEL / result.level)) > 1:
        text += f" {tests} comparisons share the 5%, so each interval is wider than alone."
    if result.verdict is Verdict.NOT_SHOWN:
        text += " To add pairs to these and look again would raise the chance of a false alarm above 5%."
    if sure := _sureness(result):
        text += f" {sure}"
    ratio = f"{result.time_ratio:.2f}"
    if result.time_interval:
        ratio += f" ({percent(result.level)} interval {result.time_interval[0]:.2f} to {result.time_interval[1]:.2f})"
    return f"{text} Time per epoch: {ratio} times {result.second}'s."


def _sureness(result: Paired) -> str:
    """The second measure, said as another estimand; empty without its interval."""
    wrong, loss = result.wrong_probability, result.log_loss
    if not (wrong and wrong.interval and loss and loss.interval):
        return ""
    return (
        "Another question, how sure they are of the right digit, decides nothing here: in favour of "
        f"{result.first}, {wrong.mean:+z.3f} points of the probability given to wrong digits ({percent(result.level)} "
        f"interval {_range(wrong.interval)}), {loss.mean:+z.5f} of the log loss ({_range(loss.interval, 5)})."
    )


def percent(level: float) -> str:
    """What an interval covers that misses the truth with a probability of `level`."""
    return f"{100 * (1 - level):.3g}%"


def fairness_lines(fairness: Fairness) -> list[str]:
    """What the pairs shared, by their records, and what they did not."""
    shared = ", ".join(SHARED[what] for what in fairness.shared)
    lines = [f"Checked by their records: the two networks of each pair shared {shared}."] if shared else []
    return lines + [_unequal_line(unequal) for unequal in fairness.unequal]


def _unequal_line(unequal: Unequal) -> str:
    arms = f"{unequal.first} and {unequal.second}"
    text = f"Not compared pair by pair: {arms}. T" if unequal.what in REQUIRED else f"Not equal between {arms}: t"
    how = " differed" if unequal.recorded else ", not recorded"
    return f"{text}{SHARED[unequal.what][1:]}{how} in {unequal.pairs} of {count(unequal.of, 'pair')}."


def same_size_line(result: SameSize) -> str:
    """What mixing two arms adds to an ensemble."""
    size, half = result.size, result.size // 2
    pure = {result.first: f"{size} {result.first}", result.second: f"{size} {result.second}"}
    mixed = f"{half} {result.first} + {half} {result.second} of other seeds"
    gains = " and ".join(
        f"{_fewer(gain.errors)} than {pure[gain.over]}"
        + (f" (95%: {_fewer(gain.interval[1])} to {_fewer(gain.interval[0])})" if gain.interval else "")
        for gain in result.gains
    )
    scope = "for other seeds and images" if result.blocks >= FEWEST_PAIRS else "for these networks"
    return (
        f"Votes of {size} networks, wrong of {result.images:,} images: {pure[result.first]} {result.first_errors:.1f}, "
        f"{pure[result.second]} {result.second_errors:.1f}, {mixed} {result.mixed_errors:.1f}. The mixed vote makes "
        f"{gains}, {scope}, by {count(result.blocks, 'vote')} of each kind."
    )


def _fewer(gain: float) -> str:
    return f"{abs(gain):.1f} {'more' if gain < 0 else 'fewer'}"


def partial_note(left: Mapping[str, str], total: int) -> str:
    """What nobody should overlook about a run that left members out, given with the reason by id; empty if none."""
    if not left:
        return ""
    ids, (reason, *_) = list(left), left.values()
    shown = ", ".join(ids[:MOST_NAMED]) + (f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else "")
    return (
        f"Partial: {len(ids)} of {total} networks are missing ({shown}): {reason}. Rerun the same command to continue."
    )


def half_finished(missing: int, total: int) -> str:
    """What nobody should overlook about a comparison of runs that are not finished; empty if nothing is missing."""
    return (
        f"Half-finished: {missing} of {total} networks are missing; the command of their run trains them."
        if missing
        else ""
    )


def _range(interval: Interval, digits: int = 3) -> str:
    return f"{interval[0]:+z.{digits}f} to {interval[1]:+z.{digits}f}"
