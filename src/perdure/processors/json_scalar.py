"""Strings and numbers in the canonical form of JSON (RFC 8785, section 3.2.2): as ECMAScript writes them.

Python writes the same digits (the fewest that give the double back, the nearest of these), only its notation differs.
"""

from __future__ import annotations

import json
import math

MAX_EXACT_DIGITS = 15
"""Integers of so many digits are the same in every notation."""


class Flaw(Exception):
    """Why a text has no canonical form, and at which byte of it."""

    def __init__(self, what: str, position: int = 0) -> None:
        super().__init__(what)
        self.position = position


def string_text(token: bytes) -> bytes:
    """The canonical form of a string in its quotes. Raises ``Flaw`` like ``string_value``."""
    if b"\\" not in token and token.isascii():
        return token
    return quoted(string_value(token))


def quoted(value: str) -> bytes:
    """The canonical form of a string."""
    return json.dumps(value, ensure_ascii=False).encode()


def string_value(token: bytes) -> str:
    """What a string in its quotes stands for. Raises ``Flaw`` unless that is Unicode."""
    try:
        value: str = json.loads(token) if b"\\" in token else token[1:-1].decode()
        value.encode()
    except UnicodeDecodeError:
        raise Flaw("a string is not UTF-8") from None
    except UnicodeEncodeError:
        raise Flaw("a string holds half a surrogate pair") from None
    except json.JSONDecodeError:
        raise Flaw("a string holds a backslash that escapes nothing") from None
    return value


def number_text(token: bytes) -> bytes:
    """The canonical form of a number. Raises ``Flaw`` if no double holds it."""
    if token.isdigit() and len(token) <= MAX_EXACT_DIGITS:
        return token
    number = float(token)
    if not math.isfinite(number):
        raise Flaw("a number is too large for a double; take a string")
    text = ecmascript_text(number).encode()
    if token.lstrip(b"-").isdigit() and text != token and int(number) != int(token):
        raise Flaw("an integer is too large for a double to hold exactly; take a string")
    return text


def ecmascript_text(number: float) -> str:
    """A finite double as ECMAScript's ``Number::toString`` writes it."""
    if number == 0:
        return "0"
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The number is 0.DIGITS times ten to this power.
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits.ljust(point, "0")
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{fraction}e{point - 1:+d}"
    return f"-{text}" if number < 0 else text
