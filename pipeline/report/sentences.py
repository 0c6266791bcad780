"""The outcome of a comparison in sentences, the headline first."""

from collections.abc import Mapping

from pipeline.evidence.comparison import Comparison
from pipeline.evidence.epochs import EpochSpan
from pipeline.evidence.fairness import REQUIRED, Fairness, Shared, Unequal
from pipeline.evidence.intervals import Interval
from pipeline.evidence.mcnemar import McNemar
from pipeline.evidence.same_size import SameSize
from pipeline.evidence.verdict import MARGIN, SOUND_PAIRS, Paired, Verdict

SHARED = {
    Shared.ROWS: "the training and validation rows",
    Shared.DRAWS: "the order and the augmentation of every image",
    Shared.INITIAL_WEIGHTS: "the initial weights",
    Shared.DROPOUT: "the dropout draws",
    Shared.LEARNING_RATES: "the learning rates",
    Shared.PRECISION: "the precision",
    Shared.DEVICE: "the kind of processor",
}

AGAIN = "to add pairs to these and test again finds more than 5% of differences that are none"
MOST_NAMED = 6  # members that are left out


def comparison_lines(comparison: Comparison) -> list[str]:
    """All that a comparison says in words, the headline first."""
    return [*paired_lines(comparison), *mcnemar_lines(comparison), *ensemble_lines(comparison)]


def paired_lines(comparison: Comparison) -> list[str]:
    """What the pairs of each two arms show, the headline first, and whether they were fair."""
    return [*(describe(result) for result in comparison.paired), *fairness_lines(comparison.fairness)]


def describe(result: Paired) -> str:
    """The headline and the numbers behind it."""
    return f"{headline(result)}: {details(result)}"


def headline(result: Paired) -> str:
    """The verdict in words."""
    first, second = result.first, result.second
    return {
        Verdict.FIRST_BETTER: f"{first} is better than {second}",
        Verdict.SECOND_BETTER: f"{second} is better than {first}",
        Verdict.EQUIVALENT: f"{first} and {second} are equivalent within {MARGIN} points",
        Verdict.NOT_SHOWN: f"no difference between {first} and {second} is shown",
        Verdict.TOO_FEW_PAIRS: f"{first} against {second}, cannot decide: needs at least {result.fewest_pairs} pairs, "
        f"has {len(result.points)}",
    }[result.verdict]


def details(result: Paired) -> str:
    """The numbers behind the headline, in a few sentences."""
    text = f"{result.difference:+z.3f} points"  # z: a mean that rounds to zero has no sign
    if result.interval:
        text += f" (95% interval {_range(result.interval)}, over seeds and images)"
    text += f" over {_count(len(result.points), 'pair')} and {result.images:,} images"
    text += f", P({result.first} > {result.second}) = {result.first_better:.2f}"
    text += f", {_p_values('sign-flip test', result.p_value, result.p_adjusted)}."
    if 1 < len(result.points) < SOUND_PAIRS:
        text += f" With fewer than {SOUND_PAIRS} pairs, the interval is not reliable."
    if result.late:
        text += f" {late_sentence(result, result.late)}"
    if power := power_sentence(result):
        text += f" {power}"
    ratio = f"{result.time_ratio:.2f}"
    if result.time_interval:
        ratio += f" (95% interval {result.time_interval[0]:.2f} to {result.time_interval[1]:.2f})"
    return f"{text} Time per epoch: {ratio} times {result.second}'s."


def late_sentence(result: Paired, late: EpochSpan) -> str:
    """The difference on average over the last epochs."""
    text = f"On average over epochs {late.first_epoch} to {late.last_epoch}: {late.difference:+z.3f} points"
    if late.interval:
        text += f" (95% interval {_range(late.interval)}, over pairs)"
    leads = [(late.first_ahead, result.first), (late.second_ahead, result.second)]
    return f"{text}, {' and '.join(f'{arm} ahead in {count}' for count, arm in leads)} of " + (
        f"{_count(len(result.points), 'pair')}."
    )


def power_sentence(result: Paired) -> str:
    """What such a study can show, and the pairs it takes; empty where the matter is settled or there is one pair."""
    if result.verdict not in (Verdict.NOT_SHOWN, Verdict.TOO_FEW_PAIRS) or not result.powers:
        return ""
    chances = " and ".join(f"{p.power:.0%} to show one of {p.effect} points" for p in result.powers)
    needs = " and ".join(
        f"{'more than 1,000' if p.pairs_needed is None else f'about {p.pairs_needed}'} pairs for {p.effect} points"
        for p in result.powers
    )
    text = f"If there is a true difference, the chance is {chances}. A chance of 80% takes {needs}"
    if result.verdict is Verdict.TOO_FEW_PAIRS:
        return f"{text} (--seeds)."
    return f"{text}, in a new study: {AGAIN}."


def fairness_lines(fairness: Fairness) -> list[str]:
    """What the pairs shared, by their records, and what they did not."""
    lines = []
    if fairness.fair:
        odd = {u.what for u in fairness.unequal if (u.first, u.second) in fairness.fair}
        equal = [words for what, words in SHARED.items() if what not in odd]
        lines.append(f"Checked by their records: the members of each pair shared {', '.join(equal)}.")
    return lines + [_unequal_line(unequal) for unequal in fairness.unequal]


def _unequal_line(unequal: Unequal) -> str:
    arms = f"{unequal.first} and {unequal.second}"
    text = f"Not compared pair by pair: {arms}. T" if unequal.what in REQUIRED else f"Not equal between {arms}: t"
    fold = "none" if unequal.fold is None else unequal.fold
    how = "differed" if unequal.recorded else "were not recorded"
    return (
        f"{text}{SHARED[unequal.what][1:]} {how} in {unequal.pairs} of {_count(unequal.of, 'pair')}, first with seed "
        f"{unequal.seed}, fold {fold}."
    )


def mcnemar_lines(comparison: Comparison) -> list[str]:
    """One sentence per McNemar test."""
    return [_mcnemar_line(test) for test in comparison.tests]


def _mcnemar_line(test: McNemar) -> str:
    return (
        f"{test.first} against {test.second}, ensembles, {test.rows} images: only {test.first} gets "
        f"{test.only_first_right} right, only {test.second} gets {test.only_second_right}; "
        f"{_p_values('exact McNemar test', test.p_value, test.p_adjusted)}. This compares these trained networks, not "
        "the activations as such."
    )


def ensemble_lines(comparison: Comparison) -> list[str]:
    """What mixing arms adds to an ensemble."""
    return [*map(_same_size_line, comparison.same_size)]


def _same_size_line(result: SameSize) -> str:
    size, half = result.size, result.size // 2
    pure = {result.first: f"{size} {result.first}", result.second: f"{size} {result.second}"}
    mixed = f"{half} {result.first} + {half} {result.second}"
    over = "seeds and images" if result.blocks > 1 else "images, for these networks"
    gains = " and ".join(
        f"{gain.errors:+z.1f} errors over {pure[gain.over]} (95% interval {_range(gain.interval, 1)})"
        for gain in result.gains
    )
    text = (
        f"Ensembles of {size}, errors of {result.images:,} images: {pure[result.first]} {result.first_errors:.1f}, "
        f"{pure[result.second]} {result.second_errors:.1f}, {mixed} {result.mixed_errors:.1f}. {mixed} gains {gains}, "
        f"over {over}, from {_count(result.blocks, 'block')} of seeds."
    )
    if 1 < result.blocks < SOUND_PAIRS:
        text += f" With fewer than {SOUND_PAIRS} blocks, the intervals are not reliable."
    return text


def submission_votes(comparison: Comparison) -> str:
    """Who votes on a submission, and how often they are wrong where that is known."""
    everyone = comparison.ensembles[-1]
    text = f"{_count(everyone.members, 'network')} with equal votes"
    scores = ((everyone.held_back, "held-back"), (everyone.validation, "validation"))
    known = [f", {s.errors:,} errors of {s.images:,} {where} images" for s, where in scores if s]
    return text + (known[0] if known else "")


def partial_note(left: Mapping[str, str], total: int) -> str:
    """What nobody should overlook about a run that left members out, given with the reason by id; empty if none."""
    if not left:
        return ""
    ids, (reason, *_) = list(left), left.values()
    shown = ", ".join(ids[:MOST_NAMED]) + (f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else "")
    return (
        f"Partial: {len(ids)} of {total} members are missing ({shown}): {reason}. Rerun the same command to continue."
    )


def half_finished(missing: int, total: int) -> str:
    """What nobody should overlook about a comparison of runs that are not finished."""
    return f"Half-finished: {missing} of {total} members are missing."


def _p_values(test: str, raw: float, adjusted: float) -> str:
    """Named for what they are; one where they are the same."""
    if raw == adjusted:
        return f"p = {raw:.2g} ({test})"
    return f"p = {raw:.2g} ({test}, raw), {adjusted:.2g} after Holm's correction"


def _range(interval: Interval, digits: int = 3) -> str:
    return f"{interval[0]:+z.{digits}f} to {interval[1]:+z.{digits}f}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"
