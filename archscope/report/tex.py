"""Text for LaTeX: what it would read as a command, and characters that pdfLaTeX does not have.

Only commands of LaTeX's kernel, so that a document needs no package for them.
"""

from __future__ import annotations

import unicodedata

_COMMANDS = (
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    # After a row's end, a bracket or a star would be read as its argument.
    | {"[": "{[}", "*": "{*}"}
)
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_LETTERS = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"} | {
    "ł": "l",
    "Ł": "L",
    "å": "aa",
    "Å": "AA",
    "ı": "i",
}
_MATHEMATICS = {"×": "times", "±": "pm", "·": "cdot", "≤": "le", "≥": "ge", "≈": "approx"} | {
    "→": "to",
    "←": "leftarrow",
    "∞": "infty",
    "−": "relax-",
    "°": "relax^\\circ",
    "µ": "mu",
    "²": "relax^2",
    "³": "relax^3",
}
_PLAIN = {"–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}"} | {
    "\u00a0": "~",
    "•": r"\textbullet{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "©": r"\copyright{}",
}
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau"
_GREEK += " upsilon phi chi psi omega"


def escaped(text: str) -> str:
    """Text as LaTeX prints it; what pdfLaTeX has no sign for is shown by its number, U+4E2D."""
    return "".join(map(_sign, unicodedata.normalize("NFC", text)))


def _sign(char: str) -> str:
    if char in _COMMANDS:
        return _COMMANDS[char]
    if char.isascii():
        return char if char.isprintable() else " "
    if char in _PLAIN:
        return _PLAIN[char]
    if char in _LETTERS:
        return f"\\{_LETTERS[char]}{{}}"
    if char in _MATHEMATICS:
        return f"$\\{_MATHEMATICS[char]}$"
    return _greek(char) or _accented(char) or f"U+{ord(char):04X}"


def _greek(char: str) -> str:
    """Small letters, and the capitals that differ from Latin ones."""
    kind, _, name = unicodedata.name(char, "").partition(" LETTER ")
    if name.lower() == "lamda":  # as Unicode spells it
        name = "LAMBDA"
    if kind == "GREEK SMALL" and name.lower() in _GREEK.split():
        return f"$\\{name.lower()}$"
    capitals = ("GAMMA", "DELTA", "THETA", "LAMBDA", "XI", "PI", "SIGMA", "UPSILON", "PHI")
    if kind == "GREEK CAPITAL" and name in (*capitals, "PSI", "OMEGA"):
        return f"$\\{name.capitalize()}$"
    return ""


def _accented(char: str) -> str:
    decomposed = unicodedata.normalize("NFD", char)
    base, accents = decomposed[0], decomposed[1:]
    if len(accents) == 1 and accents in _ACCENTS and base.isascii() and base.isalpha():
        return f"\\{_ACCENTS[accents]}{{{base}}}"
    return ""
