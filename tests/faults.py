"""Faults at every file operation of a command, each in a process of its own.

Operations are seen through Python's audit events: a file opened to be written, renamed or removed, a folder made or
removed. The k-th one fails as on a full disk, or the process is gone before it, as after `kill -9` or a power cut.
"""

import errno
import os
import signal
import sys
import traceback

import pytest

OPERATIONS = {
    "os.rename": 1,
    "os.remove": 0,
    "os.mkdir": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FINISHED, FAILED, KILLED = 0, 1, 137
MOST = 400  # operations of a command
LONGEST = 120  # seconds of one


class Disk:
    """Counts the operations below a folder, and lets one of them fail. Installed once: audit hooks stay."""

    def __init__(self):
        self.folder, self.at, self.kills, self.count = None, 0, False, 0
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if self.folder is None or not self.touches(event, arguments):
            return
        self.count += 1
        if self.count == self.at and self.kills:
            os._exit(KILLED)
        if self.count == self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[OPERATIONS.get(event, 0)]))

    def touches(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            if not (flags or 0) & WRITING:
                return False
        elif event in OPERATIONS:
            path = arguments[OPERATIONS[event]]
        else:
            return False
        return not isinstance(path, int) and os.path.abspath(os.fsdecode(path)).startswith(self.folder)  # noqa: PTH100


DISK = Disk()


def run_with_fault(command, folder, at, *, kills):
    """Run a function in a forked process whose `at`-th file operation below `folder` fails.

    Returns:
        FINISHED, FAILED (with any exception but an assertion's) or KILLED; and whether there was an `at`-th operation.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = FINISHED
        signal.alarm(LONGEST)
        try:
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123
                sys.stdout = sys.stderr = nowhere
                DISK.count, DISK.at, DISK.kills, DISK.folder = 0, at, kills, str(folder)
                command()
        except SystemExit as end:
            code = FAILED if end.code else FINISHED
        except Exception as error:
            code = FAILED
            if type(error).__name__ not in ("UserError", "RunError", "KernelFailedError") and not isinstance(
                error, OSError
            ):
                os.write(writer, b"!" + traceback.format_exc().encode())
        finally:
            DISK.folder = None
        os.write(writer, b"reached" if DISK.count >= at else b"")
        os._exit(code)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    answer = b""
    while block := os.read(reader, 65536):
        answer += block
    os.close(reader)
    code = os.waitstatus_to_exitcode(status)
    assert not answer.startswith(b"!"), answer.decode()
    return code, code == KILLED or answer == b"reached"


def each_fault(prepare, command, check, kills, folder):
    """Carry out a command again and again, each time with a fault at the next operation, until there is none left.

    Args:
        prepare: Called before each time.
        command: What to carry out, in a forked process.
        check: Called after each time with FINISHED, FAILED or KILLED.
        kills: Whether the process is gone at the fault; else the operation fails.
        folder: Operations below it count.
    """
    for at in range(1, MOST):
        prepare()
        code, reached = run_with_fault(command, folder, at, kills=kills)
        if not reached:
            assert code == FINISHED
            assert at > 2
            return
        assert code in ((KILLED,) if kills else (FAILED, FINISHED)), at
        check(code)
    pytest.fail("there is no end to the operations")
