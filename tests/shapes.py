"""Execute the shape line of a docstring: `x (N, C, H, W), weight (O, C, Kh, Kw)  ->  y (N, O, Ho, Wo)`.

Every letter gets a prime of its own, so a transposed or a wrong axis cannot hide. Letters that appear only
on the right are free, but keep one value within the line. `...` stands for two leading axes of their own.
"""

import re

import numpy as np

ARRAY = re.compile(r"(\w+)(?:\[(\w+)\])? \(([^()]*)\)")
PRIMES = [29, 23, 19, 17, 13, 11, 7, 5, 3, 2]
SMALL = {"Kh": 3, "Kw": 2, "K": 3}  # a kernel fits into its image
LEADING = [5, 3]


def shape_line(f):
    """The text left and right of the arrow, or None."""
    found = [line for line in (f.__doc__ or "").splitlines() if "  ->  " in line]
    return tuple(side.strip() for side in found[0].split("  ->  ")) if found else None


def arrays(side):
    """[(name, [letters])] of one side of a shape line."""
    return [(name, [s.strip() for s in inside.split(",") if s.strip()]) for name, _, inside in ARRAY.findall(side)]


def sizes_of(left, fixed=None):
    """A prime for each letter on the left; `fixed` overrides some, for functions with a rule between sizes."""
    sizes, primes = dict(fixed or {}), list(PRIMES)
    for _, letters in arrays(left):
        for letter in letters:
            if letter not in sizes and re.fullmatch(r"[A-Z]\w*", letter):
                sizes[letter] = SMALL.get(letter) or next(p for p in reversed(primes) if p not in sizes.values())
    return sizes


def size(letter, sizes):
    """The size that a letter, a number or a product such as 3 H or 3*H stands for."""
    if letter in sizes:
        return sizes[letter]
    factors = re.fullmatch(r"(\d+)(?:\s*\*?\s*(\w+))?", letter)
    return int(factors[1]) * (size(factors[2], sizes) if factors[2] else 1)


def shape(letters, sizes):
    """The shape that letters stand for."""
    out = []
    for letter in letters:
        out += LEADING if letter == "..." else [size(letter, sizes)]
    return tuple(out)


def check_result(name, got, letters, sizes):
    """Compare a result with the right side; a free letter takes the size that it meets first."""
    free = [x for x in letters if x != "..." and x not in sizes and re.fullmatch(r"[A-Za-z]\w*", x)]
    at = dict(enumerate(letters))
    offset = len(LEADING) - 1 if "..." in letters else 0
    for letter in free:
        i = next(i for i in at if at[i] == letter)
        dots = "..." in letters[:i]
        sizes[letter] = np.shape(got)[i + (offset if dots else 0)]
    assert np.shape(got) == shape(letters, sizes), f"{name}: {np.shape(got)}, the docstring says {letters} {sizes}"
