"""docs/score.md and docs/score/README.md against the records, and the commands against their configs."""

import hashlib
import json
import re
import shlex
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from figures import accuracy, page, prose, record, table, votes

from pipeline.cli import read
from pipeline.config.config_json import from_json
from pipeline.config.presets import preset
from pipeline.config.schema import member_specs

SCORE, STUDY = ROOT / "docs/score", ROOT / "docs/study/strong-25"
PAGE = page("docs/score.md")
PROSE = prose(PAGE)
COMMANDS_PAGE = page("docs/score/README.md")
FLAGS = {"EARLIER": re.search(r"the last of two flags counts: `([^`]+)`", prose(COMMANDS_PAGE))[1]}
FLAGS |= {
    name: flags.replace("EARLIER", FLAGS["EARLIER"])
    for name, flags in re.findall(r"`([A-Z0-9-]+)` is `([^`]+)`", prose(COMMANDS_PAGE))
}
COMMANDS = {
    re.search(r"--name (\S+)", line)[1]: " ".join(FLAGS.get(word, word) for word in line.split())
    for line in re.findall(r"^python -m pipeline (run .+ --name .+)$", COMMANDS_PAGE, re.M)
}
ENTRIES = ("leaderboard", "leaderboard-residual")
SHORT_RUNS = ("1", "a", "b", "c", "ab", "ac", "bc", "abc")  # of quick, to try five changes


def config_of(name):
    path = SCORE / name / "config.json"
    return from_json(path.read_text(), str(path))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_gives_the_recorded_config(name):
    _, *words = shlex.split(COMMANDS[name])
    assert read("run", words).config == replace(config_of(name), out=None, data="auto")


def test_every_recorded_run_has_its_command():
    folders = {path.parent.name for path in SCORE.glob("*/config.json")}
    assert folders == {*COMMANDS, *ENTRIES}
    settings = [row for name in ("screening", "lengths", "networks") for row in record(f"score/{name}")["settings"]]
    others = {"quick-folds", "quick-ema", "residual-folds", "short", "short-ghouzam", "short-residual"}
    others |= {f"quick-{name}" for name in SHORT_RUNS}
    assert {row["run"] for row in settings} | others == set(COMMANDS)
    assert {f"{path.stem}.json" for path in SCORE.glob("*.json")} == set(re.findall(r"[\w-]+\.json", COMMANDS_PAGE))


def digits_of(name):
    return dict(np.load(SCORE / name / "predicted.npz"))


def test_the_entries_were_scored_as_they_are_committed():
    """The labels are kept apart; that these very predictions were scored, and what follows from them, is not."""
    kept = record("score/kept-apart")
    rows = dict(zip((*ENTRIES, "blend"), table(PAGE, "| command | networks |"), strict=True))
    for name, cells in rows.items():
        scored = kept["records"][name]
        assert hashlib.sha256((SCORE / name / "predicted.npz").read_bytes()).hexdigest() == scored["sha256"]
        single = f"{np.mean(list(scored['networks'].values())):.1f}" if scored["networks"] else ""
        assert cells[2:] == [single, f"{scored['vote']}", f"{1 - scored['vote'] / kept['images']:.5f}"]
        assert single == "" or int(cells[1]) == len(scored["networks"])
    spread = kept["standard_error_of_an_accuracy_points"]
    assert f"{spread} points, {kept['images'] * spread / 100:.0f} errors" in PROSE
    assert f"All 16 networks misread {kept['wrong_by_all_16']} images" in PROSE
    assert f"{kept['agreed_by_all_16']:,} on which all agree, {kept['wrong_among_agreed']} are wrong" in PROSE


def test_the_entries_are_those_of_the_presets():
    networks = []
    for name in ENTRIES:
        config = config_of(name)
        assert config == replace(preset(name), seeds=config.seeds)
        assert f"| `run {name} --seeds {config.seeds}` | {len(config.arms) * config.seeds} |" in PAGE
        digits = digits_of(name)
        assert set(digits) == {spec.id for spec in member_specs(config)} | {"vote"}
        assert {(array.dtype.name, array.shape) for array in digits.values()} == {("uint8", (28_000,))}
        networks += [digits[spec.id] for spec in member_specs(config)]
    assert len(networks) == 16
    assert (np.stack(networks) == networks[0]).all(axis=0).sum() == record("score/kept-apart")["agreed_by_all_16"]


def networks_of(folder, fold):
    """By arm, what the networks of a fold predict of its rows, and the digits that these are."""
    with np.load(folder / "probabilities.npz") as arrays:
        by_arm = {}
        for index, member in enumerate(json.loads(str(arrays["content"]))["members"]):
            if member["fold"] == fold:
                by_arm.setdefault(member["activation"], []).append(arrays[f"validation_{index}"].astype(np.float64))
        return by_arm, arrays["labels"][arrays[f"rows_{fold}"]]


def test_the_votes_are_those_of_the_study():
    """Counted anew from the probabilities: every choice of networks, averaged."""
    errors_of = votes("votes")
    folds = [networks_of(STUDY, fold) for fold in range(5)]
    for arms, errors, reached in table(PAGE, "| networks that vote | errors of 42,000 |"):
        counts = {arm: int(count) for count, arm in re.findall(r"(\d) (\w+)", arms)}
        mean = 0
        for by_arm, labels in folds:
            choices = product(*(combinations(by_arm[arm], count) for arm, count in counts.items()))
            wrong = [np.sum(np.argmax(sum(sum(some) for some in chosen), axis=1) != labels) for chosen in choices]
            mean += np.mean(wrong)
        assert abs(mean - errors_of[arms]) <= 1  # averages in another order: a tie may fall otherwise
        assert (errors, reached) == (f"{errors_of[arms]:.1f}", accuracy(errors_of[arms]))
    posts = record("study/30-epochs/comparison")["same_size"]
    (mixed,) = [vote["mean_errors"] for vote in posts if vote["composition"] == "1 relu + 1 swish"]
    assert f"the blog post's recipe makes {mixed:.0f} errors" in PROSE


def test_the_entry_has_as_few_networks_as_the_rule_allows():
    errors = [votes("votes")[f"{seeds} relu + {seeds} swish"] for seeds in range(1, 6)]
    fewest = next(seeds for seeds, made in enumerate(errors, 1) if made <= errors[-1] + 2)
    assert f"`leaderboard` has {2 * fewest} networks" in PROSE
    assert preset("leaderboard").seeds == preset("leaderboard-residual").seeds == fewest


def test_mixing_activations_is_not_shown_to_help():
    errors = votes("votes")
    kinds = f"two of a kind {errors['2 relu']:.1f} (ReLU) and {errors['2 swish']:.1f} (Swish)"
    assert f"one of each makes {errors['1 relu + 1 swish']:.1f} errors, {kinds}" in PROSE

    def gains(study, arm):
        votes_of = [gain for size in record(f"study/{study}")["same_size"] for gain in size["gains"]]
        return [(gain["errors"], *gain["interval"]) for gain in votes_of if gain["over"] == arm]

    ahead = gains("strong-25/comparison", "relu")
    shown = " and ".join(f"{mean:.1f} ({low:.1f} to {high:.1f})" for mean, low, high in ahead)
    assert f"ahead of ReLU alone, by {shown}, not of Swish alone, and by all 35 pairs of neither" in PROSE
    assert all(low > 0 for _, low, _ in ahead)
    rest = gains("strong-25/comparison", "swish") + gains("joint", "relu") + gains("joint", "swish")
    assert all(low < 0 < high for _, low, high in rest)


def test_what_another_family_gains():
    families = record("score/families")
    sizes = {(vote["first"], vote["second"]): vote for vote in families["votes"]}
    mixed = sizes[4, 2]
    assert f"on {families['images']:,} digits, four networks of `leaderboard` make {sizes[4, 0]['errors']:.1f}" in PROSE
    gains = f"{mixed['errors']:.1f}: {mixed['errors_than_first']}, in log loss {mixed['log_loss_than_first']}"
    assert gains in PROSE


def test_votes_that_differ_more_do_not_catch_up():
    ours = {name: record(f"score/{name}-votes") for name in ("short", "mixed")}
    (errors, theirs, *_), (losses, their_losses, more, spread) = (
        zip(*(found["against"][measure] for found in ours.values()), strict=True) for measure in ("errors", "log_loss")
    )
    assert all(found["against"]["folds"] == [0] for found in ours.values())
    assert f"make {errors[0]:.0f} and {errors[1]:.0f} errors of 8,400, the four {theirs[0]:.0f}" in PROSE
    assert f"is {losses[0]:.5f} and {losses[1]:.5f} against {their_losses[0]:.5f}" in PROSE
    assert f"{more[0]:+.4f} ± {spread[0]:.4f} for A" in PROSE
    assert losses[0] < losses[1]
    errors_of = votes("short-votes")
    assert f"one makes {(errors_of['1 relu'] + errors_of['1 swish']) / 2:.1f} errors" in PROSE


def test_the_plans_votes_took_the_same_minutes():
    short, mixed = (pd.read_csv(SCORE / name / "metrics.csv")["seconds"].sum() for name in ("short", "mixed"))
    assert abs(short / mixed - 1) < 0.05


def test_five_minutes_are_those_of_the_record():
    quick, errors = record("score/quick"), votes("quick-votes")["1 relu + 1 swish"]
    assert f"{quick['quick']['minutes']:.1f} minutes from command to submission" in PROSE
    assert f"makes {errors:.0f} errors of 42,000, {accuracy(errors)}" in PROSE
    assert config_of("quick-folds").recipe.train == preset("quick").recipe.train
    for cells, row in zip(table(PAGE, "| `quick` and its neighbours"), quick["rows"], strict=True):
        reached = accuracy(row["vote's errors"], row["of"])
        assert cells == [row["run"], f"{row['minutes']:.1f}", str(row["vote's errors"]), reached]


def test_what_changes_so_short_a_training():
    """Effects in errors of a network; the standard error is from the two contrasts that no change fills."""
    signs = {name: {change: 1 if change in name else -1 for change in "abc"} for name in SHORT_RUNS}
    errors = {}
    for name, sign in signs.items():
        sign |= {"d": -sign["a"] * sign["b"], "e": -sign["a"] * sign["c"]}
        sign |= {"bc": sign["b"] * sign["c"], "abc": sign["a"] * sign["b"] * sign["c"]}
        train = config_of(f"quick-{name}").recipe.train
        assert (train.warmup > 0.2, train.ema_momentum < 0.999) == (sign["d"] > 0, sign["e"] > 0)
        last = pd.read_csv(SCORE / f"quick-{name}" / "metrics.csv").query("epoch == 6")
        errors[name] = 8_400 * (1 - last["validation_accuracy"]).mean()
    effect = {change: sum(sign[change] * errors[name] for name, sign in signs.items()) / 4 for change in signs["1"]}
    assert f"milder distortions make {effect['a']:.1f} more errors a network" in PROSE
    assert f"a shorter moving average (0.99) {-effect['e']:.1f} fewer" in PROSE
    largest, spread = max(abs(effect[change]) for change in "bcd"), np.hypot(effect["bc"], effect["abc"]) / np.sqrt(2)
    assert f"change at most {largest:.1f} (standard error {spread:.1f})" in PROSE
    tried, quick = votes("quick-ema-votes")["1 relu + 1 swish"], votes("quick-votes")["1 relu + 1 swish"]
    assert f"vote makes {tried:.0f} errors" in PROSE
    assert f"not told apart from {quick:.0f}" in PROSE


def test_the_presets_are_what_was_chosen():
    full, short = config_of("full-b1"), config_of("screen-abc")
    assert preset("leaderboard").recipe.train == preset("study").recipe.train == full.recipe.train
    assert preset("leaderboard").recipe.augment == preset("quick").recipe.augment == full.recipe.augment
    assert preset("leaderboard").recipe.dropout == full.recipe.dropout
    assert preset("quick").recipe.dropout == short.recipe.dropout
