"""Freeze every figure of the simulator, or check that none has changed; ``frozen/__init__.py`` says what is frozen.

python tests/golden/freeze.py                     make all files of tests/golden/frozen anew
python tests/golden/freeze.py --check             compute all again, print every difference, exit with 1 if any
python tests/golden/freeze.py --check --only vit  only cases whose name holds this
"""

import sys

from frozen.command import main

if __name__ == "__main__":
    sys.exit(main())
