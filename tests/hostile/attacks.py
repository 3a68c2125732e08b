"""The attacks of attacks.toml, and the name that is in whatever they leave."""

import pathlib
import tomllib

MARK = "nnbook-was-here-5527"
TABLE = tomllib.loads(pathlib.Path(__file__).with_name("attacks.toml").read_text(encoding="utf-8"))
CODE = {kind: attack["code"].replace("MARK", MARK) for kind, attack in TABLE.items()}


def kinds(ends):
    """The kinds of attack that end so: "timeout", "crash" or "wrong"."""
    return [kind for kind, attack in TABLE.items() if attack["ends"] == ends]
