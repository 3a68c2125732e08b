"""`python -m nnbook.grading`: the same as the command `nnbook`."""

import sys

from nnbook.grading.cli import main

sys.exit(main())
