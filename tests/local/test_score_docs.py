"""docs/score.md and docs/score/README.md against the records, and the commands against their configs."""

import json
import re
import shlex
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from benchmarks.composition import votes_of
from benchmarks.families import common_rows, on_rows
from benchmarks.families import votes_of as votes_of_families
from benchmarks.minutes import posts_point, quick_points, study_point
from benchmarks.record import load
from pipeline.arguments import parse_run
from pipeline.config.config_json import from_json
from pipeline.config.presets import preset
from pipeline.config.schema import member_specs
from pipeline.records.blend_record import read_blend
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

TEXT = "\n\n".join((ROOT / page).read_text() for page in ("docs/score.md", "docs/score/README.md"))
PROSE = " ".join(TEXT.split())
SCORE = ROOT / "docs/score"
(EARLIER,) = re.findall(r"the last of two flags counts: `([^`]+)`", PROSE)
COMMANDS = {
    re.search(r"--name (\S+)", line)[1]: line.replace("SCREEN", "EARLIER --train.epochs 8").replace("EARLIER", EARLIER)
    for line in re.findall(r"^python -m pipeline (run .+)$", TEXT, re.M)
}
PUBLISHED = ("leaderboard", "leaderboard-residual")
FAMILIES, THAN = (ROOT / "docs/study/strong", SCORE / "residual-folds"), ("_than_first", "_than_second")

# Each factor's row, from the earlier value to the new one; -1 where the record goes the other way.
WAYS = {
    "dropout 1.0 > 0.5": ("| dropout, factor on 0.4 | 1 | 0.5 |", 1),
    "train.label_smoothing 0.0 > 0.05": ("| label smoothing | 0.05 | 0 |", -1),
    "augment.clean_epochs 1 > 0": ("| clean last epochs | 0 | 1 |", -1),
    "augment.elastic 0.0 > 1.0": ("| elastic moves, pixels | 0 | 1 |", 1),
    "train.fresh_statistics True > False": (
        "| normalisation's statistics of the averaged weights | moving | fresh |",
        -1,
    ),
    "augment.zoom 0.1 > 0.15, augment.shear 0.0 > 10.0": ("| shear, degrees, and zoom | 0 and 0.1 | 10 and 0.15 |", 1),
    "train.learning_rate 0.002 > 0.004": ("| learning rate | 0.002 | 0.004 |", 1),
}


def record(name):
    return json.loads((SCORE / f"{name}.json").read_text())


def settings():
    return {row["run"]: row for name in ("screening", "lengths", "networks") for row in record(name)["settings"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_gives_the_recorded_config(name):
    recorded = SCORE / name / "config.json"
    config = from_json(recorded.read_text(), str(recorded))
    _, *words = shlex.split(COMMANDS[name])
    assert parse_run(words).config == replace(config, out=None, data="auto")


def median_minutes(name):
    """Of a run's networks side by side, by their median epochs."""
    epochs = pd.read_csv(SCORE / name / "metrics.csv").groupby("arm")["seconds"]
    return (epochs.median() * epochs.size()).mean() / 60


def test_every_run_of_the_table_has_its_command_and_its_record():
    rows = settings()
    assert set(rows) | {"quick-folds", "residual-folds"} == set(COMMANDS)
    table = TEXT.partition("| run on fold 0,")[2].partition("\n\n")[0]
    lines = re.findall(r"^\| `(\S+)`[^|]* \| (.+) \|$", table, re.M)
    assert {name for name, _ in lines} == set(rows)
    for name, cells in lines:
        row = rows[name]
        errors, vote, losses = cells.split(" | ")
        assert errors == ", ".join(map(str, row["errors"]))
        assert vote.split()[0] == str(row["of the vote"])
        assert losses == ", ".join(f"{loss:.4f}" for loss in row["log loss, scaled"])


def test_the_families_took_the_minutes_that_are_told():
    minutes = [median_minutes(name) for name in ("earlier-30", "width-2", "residual", "residual-16")]
    told = "30 epochs of `deotte` take {:.0f} minutes, `width-2` {:.0f}, `residual` {:.0f} and `residual-16` {:.0f}"
    assert told.format(*minutes) in PROSE


def test_the_votes_of_two_families_are_those_of_the_record_and_the_record_that_of_the_networks():
    title, _, table = TEXT.partition("| networks that vote, on ")[2].partition("\n\n")[0].partition("\n")
    families = record("families")
    assert title.startswith(f"{families['images']:,} images")
    votes = {(vote["first"], vote["second"]): vote for vote in families["votes"]}
    for line in table.splitlines()[1:]:
        who, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        size = tuple(int((re.findall(rf"(\d) `{name}`", who) or [0])[0]) for name in ("deotte", "residual"))
        vote = votes[size] | {"errors": f"{votes[size]['errors']:.1f}", "log_loss": f"{votes[size]['log_loss']:.4f}"}
        for than, all_of_one in (("first", (4, 0)), ("second", (0, 2))):  # blank beside itself
            vote |= {f"{what}_than_{than}": "" for what in ("errors", "log_loss") if size == all_of_one}
        assert cells == [vote[f"{what}{than}"] for what in ("errors", "log_loss") for than in ("", *THAN)]
    first, second = (read_study(RunFolder(folder)) for folder in FAMILIES)
    rows = common_rows(first, second)
    networks = (on_rows(study, rows, folder) for study, folder in zip((first, second), FAMILIES, strict=True))
    again = votes_of_families(*networks, first.digits.labels[rows])
    assert (len(rows), [asdict(vote) for vote in again]) == (families["images"], families["votes"])


def test_the_effects_are_those_of_the_record():
    for effect in record("screening")["effects"]:
        row, way = WAYS[effect["factor"]]
        assert f"{row} {way * effect['errors']:+.1f} | {way * effect['log loss']:+.5f} |" in TEXT
        assert f"standard errors {effect['se of errors']:.1f} errors and {effect['se of log loss']:.5f}" in PROSE


def test_the_votes_are_those_of_the_record_and_the_record_that_of_the_study():
    votes = record("votes")["votes"]
    rows = TEXT.partition("| networks that vote |")[2].split("\n\n")[0].splitlines()[2:]
    for line, vote in zip(rows, votes, strict=True):
        best, low, high = vote["accuracy"]
        assert line == f"| {vote['arms']} | {vote['errors']:.1f} | {best:.4f} ({low:.4f} to {high:.4f}) |"
    study = read_study(RunFolder(ROOT / "docs/study/strong"))
    again = votes_of(study.members, study.digits.labels)
    assert [asdict(vote) | {"accuracy": list(vote.accuracy)} for vote in again] == votes


def published(name):
    """A preset's config, metrics and predicted digits, as they were trained on all rows."""
    folder = RunFolder(SCORE / name)
    config = from_json(folder.config.read_text(), str(folder.config))
    assert config == replace(preset(name), seeds=config.seeds)
    digits = dict(np.load(folder.path / "predicted.npz"))
    assert set(digits) == {spec.id for spec in member_specs(config)} | {"vote"}
    assert {(array.dtype.name, array.shape, array.max()) for array in digits.values()} == {("uint8", (28_000,), 9)}
    return config, pd.read_csv(folder.metrics), digits


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_predictions_of_each_preset_are_what_is_told(name):
    config, epochs, digits = published(name)
    vote = digits.pop("vote")
    networks = np.stack(list(digits.values()))
    assert len(epochs) == len(networks) * config.train.epochs
    minutes = epochs.groupby("arm")["seconds"].median().mean() * len(epochs) / 2 / 60
    differing = (networks != vote).sum(axis=1)
    row = (
        f"| `run {name} --seeds {config.seeds}` | {len(networks)} | {minutes:.0f} "
        f"| {(networks == networks[0]).all(axis=0).sum():,} | {differing.min()} to {differing.max()} |"
    )
    assert row in TEXT


def test_the_blend_is_that_of_the_two_presets():
    blend = read_blend(RunFolder(SCORE / "blend"))
    voters = {name: [spec.id for spec in member_specs(published(name)[0])] for name in PUBLISHED}
    assert (blend.members, blend.vote, blend.missing) == (voters, "equal", 0)
    (vote,) = dict(np.load(SCORE / "blend/predicted.npz")).values()
    predicted = [published(name)[2][member] for name in PUBLISHED for member in voters[name]]
    networks = np.stack(predicted)
    differing = (networks != vote).sum(axis=1)
    row = (
        f"| `blend` of both | {blend.networks} | | {(networks == networks[0]).all(axis=0).sum():,} "
        f"| {differing.min()} to {differing.max()} |"
    )
    assert row in TEXT


def test_five_minutes_are_those_of_the_record():
    section = TEXT.partition("## Five minutes")[2].partition("\n## ")[0]
    quick = record("quick")
    told = f"it takes {quick['quick']['minutes']:.1f} minutes with {preset('quick').train.epochs} epochs"
    assert told in " ".join(section.split())
    vote = record("quick-votes")["votes"][-1]
    best, low, high = vote["accuracy"]
    assert f"makes {vote['errors']:.0f} errors of 42,000, {best:.4f} ({low:.4f} to {high:.4f})" in " ".join(
        section.split()
    )
    assert from_json((SCORE / "quick-folds/config.json").read_text(), "quick-folds").train == preset("quick").train
    rows = section.partition("| --- | --- | --- | --- |\n")[2].split("\n\n")[0].splitlines()
    for line, row in zip(rows, quick["rows"], strict=True):
        (point,) = quick_points([row])
        low, high = point.interval
        accuracy = f"{point.accuracy:.4f} ({low:.4f} to {high:.4f})"
        assert line == f"| {row['run']} | {point.minutes:.1f} | {point.errors} | {accuracy} |"
    posts = study_point("original", ROOT / "docs/study/30-epochs")
    longer = posts_point(posts, load(ROOT / "docs/benchmarks/original.json", "speed_ups"))
    minutes = f"after {posts.minutes:.0f} minutes here and after {longer.minutes:.0f} in the post's way"
    assert f"has {posts.accuracy:.4f} {minutes}" in " ".join(section.split())


def test_what_was_tried_at_prediction_is_the_records():
    rows = TEXT.partition("| at prediction |")[2].split("\n\n")[0].splitlines()[2:]
    for line, row in zip(rows, record("views")["rows"], strict=True):
        _, errors, change, loss, loss_change = [cell.strip() for cell in line.strip("|").split("|")]
        assert (errors, loss) == (", ".join(map(str, row["errors"])), f"{row['log loss, scaled']:.4f}")
        if row["view"] != "as it is":
            assert (change, loss_change) == (row["change of errors"], row["change of log loss"])


def test_the_presets_are_what_was_chosen():
    full, short = ((SCORE / name / "config.json").read_text() for name in ("full-b1", "screen-abc"))
    chosen = from_json(full, "full-b1")
    assert preset("leaderboard").train == preset("study").train == chosen.train
    assert preset("leaderboard").augment == preset("quick").augment == chosen.augment
    assert preset("leaderboard").dropout == chosen.dropout
    assert preset("quick").dropout == from_json(short, "screen-abc").dropout
