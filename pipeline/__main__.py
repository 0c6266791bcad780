"""`python -m pipeline`. Any Python can read this file, so that an old one says a sentence and no SyntaxError."""

import os
import sys

LOWEST, HIGHEST = (3, 11), (3, 13)
REQUIREMENTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "requirements.txt")


def main():  # type: () -> int
    """Run a command, or say what is missing for it; returns the exit code."""
    here = "Python %s (%s)" % (".".join(map(str, sys.version_info[:3])), sys.executable)
    if not LOWEST <= sys.version_info[:2] <= HIGHEST:
        newest, needed = "%d.%d" % HIGHEST, "%d.%d to %d.%d" % (LOWEST + HIGHEST)
        setup = 'python%s -m venv .venv && .venv/bin/python -m pip install -r "%s"' % (newest, REQUIREMENTS)
        sys.stderr.write("error: Python %s is needed, and this is %s: %s\n" % (needed, here, setup))
        return 2
    try:
        from pipeline.cli import main

        main()
    except ImportError as error:
        if (error.name or "").startswith("pipeline"):
            raise
        install = '"%s" -m pip install -r "%s"' % (sys.executable, REQUIREMENTS)
        sys.stderr.write("error: %s, in %s. Install what is missing or too old: %s\n" % (error, here, install))
        return 2
    except KeyboardInterrupt:  # while it still loads; cli says more
        sys.stderr.write("\ninterrupted\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
