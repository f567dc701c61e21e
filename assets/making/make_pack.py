"""Draw everything that is learnt from: every hand's subjects, moved, and in styles made up.

Writes pictures.pack, from which the VAE and the judges train, lessons.pack, what the base is taught
(fewer things and styles, since a processor has no time for all), and openmoji.pack, which only the
judges see.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from drawing import PLAIN, Place, draw, nearby, somewhere
from hands import HANDS, JUDGED, Hand, Subject, drawing, subjects
from pack import Row, as_webp, write
from styles import styles

STYLES_EACH = 18  # of a subject outside the demo; the demo's own are drawn in all
TAUGHT_HANDS = ("noto", "vintage", "twemoji", "fluent", "gloss", "firefox", "contrast")
TAUGHT_STYLES = (
    *("ink", "outlined", "bold", "cartoon", "grey", "pastel", "shadow", "sticker", "vivid"),
)
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


def taught(icons: Path) -> Iterator[Job]:
    """The demo's subjects by some hands as they are, and in some made-up styles, one hand each."""
    hands = [hand for hand in HANDS if hand.word in TAUGHT_HANDS]
    for subject in (subject for subject in subjects() if subject.role != "base"):
        by_hand = {h.word: icon for h in hands if (icon := drawing(icons, h, subject))}
        for hand, icon in by_hand.items():
            yield icon, Place(), 0, Row(subject.word, hand, hand, "train")
        rng = random.Random(chance(subject.word, "taught"))
        colour = [hand.word for hand in hands if hand.word in by_hand and hand.kind == "colour"]
        for name in TAUGHT_STYLES:
            seed = chance(subject.word, name)
            part = "held" if seed % HELD_EACH == 0 else "train"
            hand = rng.choice(colour)
            row = Row(subject.word, hand, name, part)
            yield by_hand[hand], nearby(random.Random(seed)), seed, row


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
    parser.add_argument("--only", nargs="*", help="of openmoji, lessons and pictures")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(exist_ok=True, parents=True)
    ours = [job for hand in HANDS for job in drawn_by(args.icons, hand, hand.kind == "colour")]
    ours += [job for subject in subjects() for job in made_up(args.icons, subject)]
    lessons = list(taught(args.icons))
    theirs = list(drawn_by(args.icons, JUDGED, 3))
    with Pool(args.processes) as pool:
        for name, jobs in (("openmoji", theirs), ("lessons", lessons), ("pictures", ours)):
            if args.only and name not in args.only:
                continue
            path = args.out / f"{name}.pack"
            count = write(path, filter(None, pool.imap(done, jobs, chunksize=32)))
            print(f"{path.name}: {count} pictures, {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
