"""Competitors for tests of the contest, in a module that their processes can import."""

import time


def napping(pause, index, naps, diary):
    """Sleep for an epoch and write down when."""
    for epoch in range(100):
        started = time.time()
        time.sleep(naps)
        with diary.open("a") as stream:
            stream.write(f"{started} {time.time()}\n")
        pause((index, epoch))


def failing(pause, index):
    """Print a reason and end."""
    print("the reason")
    raise SystemExit(3)
