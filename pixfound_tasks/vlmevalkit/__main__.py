"""`python -m pixfound_tasks.vlmevalkit`: see `command`."""

from __future__ import annotations

import sys

from pixfound_tasks.benchmarks.sources import DataError
from pixfound_tasks.vlmevalkit.command import evaluate
from pixfound_tasks.vlmevalkit.host import HostError


def main() -> None:
    """Run the command; what is wrong with its options, the data or VLMEvalKit is one line, and status 2."""
    try:
        status = evaluate(sys.argv[1:])
    except (HostError, DataError, ValueError) as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    sys.exit(status)


if __name__ == "__main__":
    main()
