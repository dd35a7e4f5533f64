"""Mappings that a failed test's report may show."""

from typing import Any

SECRET = ("PASSWORD", "SECRET", "URI", "TOKEN", "KEY")


class Masked(dict[str, Any]):
    """A dict whose repr, which pytest prints for a failed test, shows no secret values."""

    def __repr__(self) -> str:
        shown = {
            name: "***" if any(word in name.upper() for word in SECRET) else value
            for name, value in self.items()
        }
        return repr(shown)
