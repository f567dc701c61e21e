"""What start.py does before the program runs. This file is read by any Python, even by 2.7."""

PYTHONS = (
    (3, 11),
    (3, 14),
)  # newer ones as soon as torch and all of packaging/lock.txt have wheels
