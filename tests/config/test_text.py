import os

import pytest

from pipeline.config.text import encoding_fault, first_line, last_lines, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, \u00e9\u4e2d \u2713\tand\nlines\r\n", "plain, \u00e9\u4e2d \u2713\tand\nlines\n"),
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("50%\r100%\b", r"50%\r100%\x08"),
        ("\u202egnp.exe\x9b31m", r"\u202egnp.exe\x9b31m"),
        (os.fsdecode(b"caf\xe9.csv"), r"caf\udce9.csv"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a,b\u00e9\n".encode(), ""),
        ("a,b\n".encode("utf-16"), "is UTF-16"),
        ("a,b\n".encode("utf-16-le"), "is UTF-16"),
        ("a,b\n".encode("utf-8-sig"), "begins with a byte order mark"),
        ("a,b\u00e9\n".encode("latin-1"), "is not UTF-8 text (byte 4)"),
    ],
)
def test_why_bytes_are_no_text(content, fault):
    assert (encoding_fault(content) or "").startswith(fault)


def test_parts_of_a_long_text():
    assert first_line("\n  one\ntwo") == "one"
    assert len(first_line("x" * 1000)) == 300
    assert last_lines("a\nb\nc\n", 2) == "b\nc\n"
