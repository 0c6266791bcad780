"""docs/reliability.md: every section names where its tests are, and they are there."""

import re

from conftest import ROOT

SECTIONS = (ROOT / "docs/reliability.md").read_text(encoding="utf-8").split("\n## ")[1:]


def test_every_section_names_tests_that_there_are():
    assert len(SECTIONS) >= 6
    for section in SECTIONS:
        promises, said, places = section.partition("\nTests: ")
        assert "\n- **" in promises, section
        assert said, section
        for place in re.findall(r"`([^`]+)`", places):
            path = ROOT / place
            files = list(path.glob("test_*.py")) if path.is_dir() else [path]
            assert files, place
            assert all("\ndef test_" in file.read_text(encoding="utf-8") for file in files), place


def test_no_folder_of_faults_is_left_out():
    """Each folder of tests but those of plain arithmetic and layout holds faults that the page promises to survive."""
    named = "\n".join(SECTIONS)
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("*/test_*.py")}
    arithmetic = {"tests/config", "tests/evidence", "tests/network", "tests/report"}
    assert [folder for folder in sorted(folders - arithmetic) if folder not in named] == []
