"""The configuration of one build: book/_config.yml with another file laid over it.

    python book/make_config.py book/_config.epub.yml > FILE

Mappings are merged key by key; anything else in the second file replaces what stands in the first.
"""

import pathlib
import sys

import yaml

BASE = pathlib.Path(__file__).with_name("_config.yml")


def merged(base, over):
    """over laid on base, both as read from YAML."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merged(base.get(key), value) for key, value in over.items()}


if __name__ == "__main__":
    config = merged(*(yaml.safe_load(path.read_text(encoding="utf-8")) for path in (BASE, pathlib.Path(sys.argv[1]))))
    yaml.safe_dump(config, sys.stdout, allow_unicode=True, sort_keys=False)
