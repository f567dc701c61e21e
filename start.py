"""Set Stylewright up beside this file and run it: `python3 start.py [demo | test | ...]`.

The standard library alone. Any Python reads this file, so that an old one can say what is needed;
`setup/`, which does the work, is read by Python 3.8 and newer.
"""

import platform
import sys

from setup import PYTHONS


def main():
    """Hand over to what this Python can read."""
    if sys.version_info < (3, 8):
        needed = "Python {}.{} to {}.{}".format(*(PYTHONS[0] + PYTHONS[1]))
        print(
            "Stylewright needs {}; this is {}.\n"
            "Install one of these and run start.py with it.".format(
                needed, platform.python_version()
            )
        )
        return 2
    from setup.main import main as begin

    return begin(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
