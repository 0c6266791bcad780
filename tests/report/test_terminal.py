"""What commands show: the end of a run on a screen of 80x24, and the same words at any width."""

import io
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from studies import findings_of

from pipeline.config.presets import preset
from pipeline.evidence.contributions import Blend, Contribution
from pipeline.records.run_folder import RunFolder
from pipeline.records.scores import Score
from pipeline.records.submission_record import SubmissionRecord
from pipeline.report.sentences import comparison_lines, partial_note
from pipeline.report.terminal import blend_screen, comparison_screen, run_screen, show

FOLDER = RunFolder(Path("runs/sample-0e143dd7"))
COPY = Path("submissions/sample-5b9a6d75.csv")
ENTRY = replace(preset("leaderboard"), seeds=8)
SHARP = 7.0  # members that read nearly every digit right
COLUMNS, LINES = 80, 24


def quick(**changes):
    config = preset("quick")
    return replace(config, recipe=replace(config.recipe, **changes))


@pytest.fixture(scope="module")
def known(sample):
    """The sample's digits, with the labels that its networks here are good at."""
    return replace(sample, held_back_labels=sample.labels[:2000])


def of_one_digit(findings):
    """The same, all images to predict read as a 3."""
    threes = np.eye(10)[[3] * 2000]
    return replace(findings, members=[replace(member, test_probabilities=threes) for member in findings.members])


@pytest.fixture(scope="module")
def ended(sample):
    """A function that gives the findings of a run that ended well, on as many images as the sample has."""

    def make(config, digits=None, **more):
        digits = digits or replace(sample, held_back_labels=None)
        usual = {"folder": FOLDER, "seconds": 62.0, "trained": 2, "rate": 1000.0, "sharpness": SHARP}
        return findings_of(digits, config, **usual | more)

    return make


def run_lines(findings, width=COLUMNS):
    return run_screen(findings, FOLDER, width, COPY)


def blend_of(saved, interval):
    """A blend with a second run that saves so many errors."""
    runs = {"leaderboard-1a2b3c4d": "runs/leaderboard-1a2b3c4d", "residual-5e6f7a8b": "runs/my residual"}
    members = {name: ["relu-s0-f0", "swish-s0-f0"] for name in runs}
    parts = [Contribution(name, 2, Score(2000, 30), number, found) for name, number, found in zip(
        runs, (6, saved), ((1.0, 11.0), interval), strict=True)]  # fmt: skip
    return Blend("validation", 4, 2.0, Score(2000, 27), parts), SubmissionRecord(members, 0, runs)


def blend_lines(width=COLUMNS, saved=-4, interval=(-7.5, -0.5), sample=False):
    return blend_screen(
        *blend_of(saved, interval), ["residual-5e6f7a8b lacks a network"], (FOLDER, COPY), sample, width
    )


@pytest.fixture(params=["sample", "folds", "entry", "one arm", "three arms", "partial", "doubtful"])
def findings(request, ended, known):
    """Of every kind of run."""
    three = replace(preset("original"), arms=("relu", "swish", "swish_beta"), seeds=2, folds_used=2, data="my data")
    left = dict.fromkeys((f"relu-s{seed}-all" for seed in range(9)), "too little time is left for another network")
    return {
        "sample": lambda: ended(preset("sample"), known, trained=4),
        "folds": lambda: ended(replace(quick(folds=5), folds_used=5), trained=10),
        "entry": lambda: ended(ENTRY, trained=0, rate=None),
        "one arm": lambda: ended(replace(preset("sample"), arms=("elu",), seeds=1), known, trained=1),
        "three arms": lambda: ended(three, trained=5),
        "partial": lambda: ended(ENTRY, failed=["swish-s7-all"], note=partial_note(left, 16)),
        "doubtful": lambda: of_one_digit(ended(quick())),
    }[request.param]()


def assert_fits(lines, wide):
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert {word for line in lines for word in line.split()} <= {*" ".join(wide).split(), "\\"}


def test_a_run_ends_in_a_screen_without_a_broken_word(findings):
    lines = run_lines(findings)
    assert_fits(lines, run_lines(findings, 1000))
    text = "\n".join(lines)
    assert f"  {FOLDER.submission}" in text
    assert f"  {FOLDER.report}" in text
    assert f"  {COPY}" in text
    assert not [word for word in ("1 networks", "1 epochs", "member", "arm ", "fold ", "p =") if word in text]


def test_a_blend_ends_in_a_screen_without_a_broken_word():
    assert_fits(blend_lines(), blend_lines(1000))


def test_the_end_of_the_sample_says_the_score_the_hardest_digits_and_how_to_compete(ended, known):
    findings = ended(preset("sample"), known, trained=4)
    errors, text = findings.score[1].errors, "\n".join(run_lines(findings))
    assert text.startswith("4 networks trained in 62 s; all 4 vote (2 relu, 2 swish).")
    assert f"  score    {1 - errors / 2000:.4f}   {errors} of 2,000 held-back digits wrong (95%: " in text
    assert f"{errors} mistake" in text
    assert "Hardest: " in text
    # 2 networks x 6 epochs x 42,000 images, 1,000 a second.
    assert "run quick   # about 9 min here; accuracy about 0.995" in text
    assert "relu or swish? " in text


def test_an_entry_without_labels_says_on_how_much_it_agrees_and_what_its_recipe_reached(ended):
    findings = ended(ENTRY, seconds=7500.0, trained=16, sharpness=4.0)
    agreed = sum(len(set(m)) == 1 for m in np.array([m.test_probabilities.argmax(1) for m in findings.members]).T)
    text = " ".join(" ".join(run_lines(findings)).split())
    assert "16 networks trained in 2 h 5 min; all 16 vote (8 relu, 8 swish)." in text
    assert 0 < agreed < 2000
    assert f"score unknown all 16 networks agree on {agreed:,} of 2,000 images" in text
    assert "two networks of this recipe reached 0.9962" in text
    assert "relu or swish?" not in text
    assert f"python -m pipeline submit {FOLDER.path}" in text
    assert "for a better" not in text  # there is none
    other = replace(preset("leaderboard"), recipe=replace(preset("leaderboard").recipe, dropout=0.25))
    assert "With --folds 10 --folds-used 1 a tenth of the labelled rows tells" in " ".join(run_lines(ended(other)))


def test_nothing_invites_to_submit_what_is_spread_unlike_the_labels(ended):
    text = " ".join(run_lines(of_one_digit(ended(quick()))))
    assert "WARNING: the predicted digits are spread unlike the labelled ones" in text
    assert "submit " not in text


def test_what_is_missing_comes_first_with_the_command_that_trains_it(ended):
    config = replace(preset("leaderboard"), data="my data", out="runs/some where")
    findings = ended(config, failed=["swish-s0-all"], note="Partial: 1 of 16")
    lines = run_lines(findings)
    assert lines[0].startswith("WARNING: swish-s0-all is left out: <worker> died")
    assert "WARNING: Partial: 1 of 16" in lines
    at = lines.index("Next, train what is missing (finished networks are kept):")
    words = shlex.split("\n".join(lines[at + 1 : at + 3]), comments=True)
    assert words[:5] == ["python", "-m", "pipeline", "run", "leaderboard"]
    assert words[5:] == ["--data", "my data", "--out", "runs/some where"]
    # 1 network x 30 epochs x 3,000 images, 1,000 a second
    assert any("# about 2 min here" in line for line in lines)


def test_tables_drop_columns_and_keep_names_and_heads(ended, known):
    findings = ended(replace(preset("sample"), arms=("relu", "swish_beta")), known)
    wide, narrow = ("\n".join(run_lines(findings, width)) for width in (100, 40))
    heads = next(line for line in wide.splitlines() if "networks  wrong" in line).split()
    assert heads == ["networks", "wrong", "range", "of", "accuracy", "s/epoch"]
    shorter = next(line for line in narrow.splitlines() if "networks  wrong" in line).split()
    assert 2 <= len(shorter) < len(heads)
    assert shorter == heads[: len(shorter)]
    assert "one swish_beta" in narrow


def test_a_blend_says_what_makes_it_worse_and_what_next():
    text = " ".join(" ".join(blend_lines()).split())
    assert "WARNING: residual-5e6f7a8b lacks a network" in text
    assert "4 networks of 2 runs vote." in text
    assert "score 0.9865 27 of 2,000 validation digits wrong" in text
    assert "residual-5e6f7a8b makes the blend worse: 4 more wrong with it than without (95%: +0.5 to +7.5)." in text
    assert "2 of the 4 networks vote on a validation image, all on one to predict." in text
    assert "submit runs/leaderboard-1a2b3c4d" in text
    assert f"python -m pipeline submit {FOLDER.path}" in text
    unsure = " ".join(" ".join(blend_lines(interval=(-9.0, 1.0))).split())
    assert "residual-5e6f7a8b does not help here: 4 more wrong" in unsure
    assert "submit runs/leaderboard-1a2b3c4d" not in unsure
    assert "worse" not in " ".join(blend_lines(saved=4, interval=(1.0, 7.0)))
    assert "pipeline run quick" in " ".join(blend_lines(sample=True))


def test_a_comparison_shows_all_that_was_tested(ended, sample):
    findings = ended(replace(preset("sample"), seeds=3), sample)
    findings = replace(findings, folder=None, note="Half")
    found = findings.answer
    lines = comparison_screen(findings, FOLDER, COLUMNS)
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= COLUMNS
    assert text.startswith(f"WARNING: Half {found.headline}.")
    assert all(line in text for line in (*found.remarks, *comparison_lines(findings.comparison)))
    assert "vote of swish" in text


def test_nothing_in_a_name_controls_the_terminal():
    stream = io.StringIO()
    show(Console(file=stream, force_terminal=True, color_system=None), ["  file  a\x1b[2Jb\udcff\x07[red]"])
    assert stream.getvalue() == "  file  a\\x1b[2Jb\\udcff\\x07[red]\n"
