"""Real data that installed packages bring along: nothing is downloaded. Not part of the core.

Every loader says its source, licence, size and order, is deterministic, and names the package to install
where that is missing. The page "Data" of the book has a card for each. Pictures are floats from 0 to 1.
"""

from .characters import *
from .days import *
from .images import *
from .names import *
from .pictures import *
from .series import *
from .texts import *
