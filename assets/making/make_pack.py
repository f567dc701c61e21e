"""Draw everything that is learnt from: every hand's subjects, moved, and in styles made up.

Writes pictures.pack, from which the base and its VAE train, and openmoji.pack, which only the
judges see.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from drawing import PLAIN, Place, draw, somewhere
from hands import HANDS, JUDGED, Hand, Subject, drawing, subjects
from pack import Row, as_webp, write
from styles import styles

STYLES_EACH = 18  # of a subject outside the demo; the demo's own are drawn in all
HELD_EACH = 33  # one pair of subject and style in so many is never trained on

Job = tuple[tuple[str, float, float], Place, int, Row]


def chance(*words: str) -> int:
    """A whole number that depends on the words alone."""
    return zlib.crc32("/".join(words).encode())


def drawn_by(icons: Path, hand: Hand, moves: int) -> Iterator[Job]:
    """A hand's subjects as they are, and so many times moved."""
    for subject in subjects():
        if icon := drawing(icons, hand, subject):
            yield icon, Place(), 0, Row(subject.word, hand.word, hand.word, "train")
            for move in range(moves):
                seed = chance(subject.word, hand.word, str(move))
                place = somewhere(random.Random(seed))
                yield icon, place, seed, Row(subject.word, hand.word, hand.word, "moved")


def made_up(icons: Path, subject: Subject) -> Iterator[Job]:
    """A subject in many made-up styles, each from another colour hand's drawing, moved."""
    by_hand = {
        hand.word: icon
        for hand in HANDS
        if hand.kind == "colour" and (icon := drawing(icons, hand, subject))
    }
    rng = random.Random(chance(subject.word))
    known = styles()
    names = list(known) if subject.role != "base" else rng.sample(list(known), STYLES_EACH)
    for name in names:
        hand = rng.choice(list(by_hand))
        seed = chance(subject.word, name)
        part = "held" if seed % HELD_EACH == 0 else "train"
        row = Row(subject.word, hand, name, part)
        yield by_hand[hand], somewhere(random.Random(seed)), seed, row


def done(job: Job) -> tuple[bytes, Row] | None:
    """Draw one picture; None where cairo cannot."""
    icon, place, seed, row = job
    style = styles().get(row.style, PLAIN)
    try:
        picture = draw(icon, style, place, random.Random(seed))
    except MemoryError:  # what cairo says of patterns that are too large
        return None
    return None if picture.std() < 2 else (as_webp(picture), row)


def main() -> None:
    """Write both packs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--icons", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(exist_ok=True, parents=True)
    ours = [job for hand in HANDS for job in drawn_by(args.icons, hand, hand.kind == "colour")]
    ours += [job for subject in subjects() for job in made_up(args.icons, subject)]
    theirs = list(drawn_by(args.icons, JUDGED, 3))
    with Pool(args.processes) as pool:
        for name, jobs in (("openmoji", theirs), ("pictures", ours)):
            path = args.out / f"{name}.pack"
            count = write(path, filter(None, pool.imap(done, jobs, chunksize=32)))
            print(f"{path.name}: {count} pictures, {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
