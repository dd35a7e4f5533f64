"""What statements do outside of their database, which no copy of that has.

Statements are told by their first words, in the manuals' "Account Management Statements", "SET",
"CREATE DATABASE", "INSTALL PLUGIN" and their likes. What one of them only names is not known:
a text to PREPARE, a procedure, a table of another database.
"""

import re

# Texts, names and comments, but for those that a server executes.
HIDDEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+"|`[^`]*`"""
    r"""|--(?=\s|$)[^\n]*|\#[^\n]*|/\*(?!M?!).*?\*/""",
    re.DOTALL,
)
EXECUTED = re.compile(r"/\*M?!\d*|\*/")
HEARD = re.compile(
    r"((?:CREATE|ALTER|DROP|RENAME) (?:OR REPLACE )?(?:USER|ROLE)"
    r"|GRANT|REVOKE|SET (?:PASSWORD|DEFAULT ROLE)"
    r"|(?:CREATE|DROP) (?:OR REPLACE )?(?:DATABASE|SCHEMA)"
    r"|(?:CREATE|ALTER|DROP) (?:OR REPLACE )?(?:UNDO )?(?:SERVER|TABLESPACE|RESOURCE GROUP)"
    r"|(?:CREATE|DROP) (?:OR REPLACE )?SPATIAL REFERENCE SYSTEM"
    r"|CREATE (?:OR REPLACE )?(?:AGGREGATE )?FUNCTION(?= .*\bSONAME\b)"
    r"|(?:UN)?INSTALL)\b"
)
SET = re.compile(r"SET (?:.*, ?)?(?:@@)?(GLOBAL|PERSIST(?:_ONLY)?)\b")


def outside(sql: str) -> str:
    """Return the first words of what reaches beyond its database, "" where nothing does."""
    bare = EXECUTED.sub(" ", HIDDEN.sub(" ", sql)).upper()
    for statement in bare.split(";"):  # there may be several
        words = " ".join(statement.split())
        if found := HEARD.match(words):
            return found[1]
        if found := SET.match(words):
            return f"SET {found[1]}"
    return ""
