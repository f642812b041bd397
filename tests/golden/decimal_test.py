"""lib/base/decimal.c against Python's integers and its decimal module: tens of thousands of numbers from a seed.

What is wanted comes from JSON's grammar as a regular expression and from arithmetic without rounding; what is got comes
from tests/unit/decimal_oracle, all questions of a test in one run. DECIMAL_SEED gives other numbers.
"""

import decimal
import os
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import equal, main, test  # noqa: E402

ORACLE = pathlib.Path(os.environ.get("builddir", "build")) / "tests" / "unit" / "decimal_oracle"
SEED = int(os.environ.get("DECIMAL_SEED", "1"))
TEXT_MAX = 64
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)

# Exponents of any size, those of the edges of 64 characters and of 64 bits often.
EXPONENTS = [
    lambda rng: rng.randint(-12, 12),
    lambda rng: rng.randint(-70, 70),
    lambda rng: rng.randint(-500, 500),
    lambda rng: rng.choice([-1, 1]) * (2 ** rng.choice([31, 32, 40, 61, 62, 63, 64]) + rng.randint(-70, 70)),
    lambda rng: rng.randint(-(10**30), 10**30),
]


def parsed(text):
    """The number as an integer and its power of ten; None where it is none."""
    match = NUMBER.fullmatch(text)
    if not match:
        return None
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    value = int(whole + fraction)
    return -value if sign else value, int(exponent or 0) - len(fraction)


def written(text, shift):
    number = parsed(text)
    if number is None:
        return "no_number"
    value, exponent = number
    if value == 0:
        return "0"
    digits = str(abs(value)).rstrip("0")
    exponent += len(str(abs(value))) - len(digits) + shift
    if len(digits) > TEXT_MAX or abs(exponent) > 3 * TEXT_MAX:
        return "too_long"
    exact = decimal.Decimal((int(value < 0), tuple(map(int, digits)), exponent))
    out = format(exact, "f")
    return out if len(out) <= TEXT_MAX else "too_long"


def compared(left, right):
    a, b = parsed(left), parsed(right)
    if a is None or b is None:
        return "no_number"
    sizes = [(0, 0, 0) if value == 0 else size(abs(value), exponent) for value, exponent in (a, b)]
    signs = [(value > 0) - (value < 0) for value, _ in (a, b)]
    if signs[0] != signs[1]:
        return str((signs[0] > signs[1]) - (signs[0] < signs[1]))
    return str(signs[0] * ((sizes[0] > sizes[1]) - (sizes[0] < sizes[1])))


def size(value, exponent):
    """Orders positive numbers: the place of the first digit, then all digits as a fraction."""
    digits = str(value)
    return 1, exponent + len(digits), digits.rstrip("0")


def digits_of(rng, count):
    return "".join(rng.choice("0000123456789999") for _ in range(count))


def number_of(rng, digit_count):
    whole = digits_of(rng, rng.randint(1, digit_count)).lstrip("0") or "0"
    fraction = digits_of(rng, digit_count - len(whole)) if rng.random() < 0.6 else ""
    text = ("-" if rng.random() < 0.3 else "") + whole + ("." + fraction if fraction else "")
    if rng.random() < 0.5:
        exponent = rng.choice(EXPONENTS)(rng)
        zeros = "0" * rng.choice([0, 0, 0, 1, 30])
        sign = "-" if exponent < 0 else rng.choice(["", "+"])
        text += rng.choice("eE") + sign + zeros + str(abs(exponent))
    return text


def damaged(rng, text):
    place = rng.randint(0, len(text))
    what = rng.random()
    if what < 0.4:
        return text[:place] + rng.choice("0123456789.eE+-- xX,_:/\u0661\u00bd") + text[place:]
    if what < 0.7:
        return text[:place] + text[place + 1 :]
    if what < 0.85:
        return text[:place] + rng.choice("0.eE+-") + text[place + 1 :]
    return text[:place]


def equal_in_value(rng, text):
    """The same number, written differently."""
    value, exponent = parsed(text)
    zeros = rng.randint(0, 5)
    digits = str(abs(value)) + "0" * zeros
    exponent -= zeros
    moved = rng.randint(0, len(digits) - 1)
    whole, fraction = digits[: len(digits) - moved], digits[len(digits) - moved :]
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}{'.' + fraction if fraction else ''}e{exponent + moved}"


def answers(questions):
    run = subprocess.run(
        [ORACLE], input="".join(line + "\n" for line in questions).encode(), stdout=subprocess.PIPE, check=True
    )
    return run.stdout.decode().splitlines()


def check(questions, wants):
    gots = answers(questions)
    equal(len(gots), len(wants))
    wrong = [f"{q!r}: got {g}, want {w}" for q, g, w in zip(questions, gots, wants) if g != w]
    equal(wrong[:20], [])


def check_writes(numbers, rng):
    shifts = [rng.choice([0, 0, 3, 3, -3, -6, rng.randint(-80, 80)]) for _ in numbers]
    wants = [written(text, shift) for text, shift in zip(numbers, shifts)]
    check([f"{text}\t{shift}" for text, shift in zip(numbers, shifts)], wants)
    return wants


@test("numbers of up to 40 digits are written exactly, whatever the exponent and the shift")
def _():
    rng = random.Random(SEED)
    wants = check_writes([number_of(rng, rng.randint(1, 40)) for _ in range(40000)], rng)
    written_count = sum(want not in ("too_long", "no_number") for want in wants)
    assert written_count > 20000, f"only {written_count} of the numbers could be written: the test is too weak"
    equal("no_number" in wants, False)


@test("numbers around 64 characters are written, or refused")
def _():
    rng = random.Random(SEED + 1)
    wants = check_writes([number_of(rng, rng.randint(50, 130)) for _ in range(10000)], rng)
    assert 500 < wants.count("too_long") < 9500, "one kind is too rare: the test is too weak"


@test("damaged numbers are refused, or read as what they have become")
def _():
    rng = random.Random(SEED + 2)
    wants = check_writes([damaged(rng, number_of(rng, rng.randint(1, 40))) for _ in range(40000)], rng)
    assert 10000 < wants.count("no_number") < 35000, "one kind is too rare: the test is too weak"


@test("every text of up to 5 characters of a number's alphabet is a number or none")
def _():
    texts = [""]
    for _ in range(5):
        texts += [text + letter for text in texts if len(text) == len(texts[-1]) for letter in "017.e+-"]
    rng = random.Random(SEED + 3)
    check_writes(texts, rng)


@test("numbers are compared exactly: any two, near ones, and those that are equal")
def _():
    rng = random.Random(SEED + 4)
    pairs = []
    for _ in range(40000):
        left = number_of(rng, rng.randint(1, 40))
        kind = rng.random()
        if kind < 0.3:
            right = number_of(rng, rng.randint(1, 40))
        elif kind < 0.6:
            right = equal_in_value(rng, left)
        else:
            right = damaged(rng, equal_in_value(rng, left) if kind < 0.8 else left)
        pairs.append((left, right))
    wants = [compared(left, right) for left, right in pairs]
    check([f"{left}\t<\t{right}" for left, right in pairs], wants)
    for want in ("-1", "0", "1"):
        assert wants.count(want) > 4000, f"{want} is too rare: the test is too weak"


@test("the comparison that is wanted agrees with Python's decimal module")
def _():
    rng = random.Random(SEED + 5)
    for _ in range(5000):
        left, right = (re.sub(r"[eE].*", "", number_of(rng, 40)) + f"e{rng.randint(-50, 50)}" for _ in range(2))
        exact = decimal.Decimal(left).compare(decimal.Decimal(right))
        equal(compared(left, right), str(int(exact)))


main()
