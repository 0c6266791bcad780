import os

import pytest

from pipeline.config.text import encoding_fault, last_lines, named, printable, reason_of


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
    assert last_lines("a\nb\nc\n", 2) == "b\nc\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Graph execution error:\n\nDetected at node while/f defined at (most recent call last):\n"
            "<stack traces unavailable>\nDetected unsupported operations when trying to compile graph "
            "__inference_f_4[_XlaMustCompile=true,x=1] on GPU: AsString (No registered kernel)\n"
            "The op is created at: \nFile 'x.py', line 3, in <module>\n\t [[while/f]]",
            "Detected unsupported operations when trying to compile graph __inference_f_4 on GPU: "
            "AsString (No registered kernel)",
        ),
        ("", "ValueError"),
        ("x" * 999, "x" * 300),
    ],
)
def test_the_reason_of_an_error_is_one_line(text, reason):
    assert reason_of(ValueError(text)) == reason
    assert named(ValueError(text)) == (f"ValueError: {reason}" if text else "ValueError")
