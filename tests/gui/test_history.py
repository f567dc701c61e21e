"""Everything done on the Dataset page is undone to the byte, also after restarts and kills."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PySide6.QtCore import QCoreApplication, QEventLoop
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.models import mask_files
from app.models.dataset import Dataset
from app.models.pictures import Thumbnails
from app.views.main_window import MainWindow
from core.config.options import RunConfig
from core.data import canvas, captions, focus, history
from core.data.marks import Mark
from core.project.layout import Project, create
from tests.conftest import draw_picture, fill
from tests.gui.conftest import open_project

TEXTS = ("a ball", "caf\u00e9, noir", "", "two\nlines", "\u72d0\u72f8, tail", "x" * 300)
BYTES = (
    b"caf\xe9\r\n",
    b"\xef\xbb\xbfone, two\r\n\r\n",
    "\u2014".encode("utf-16"),
    b"",
    b"a\rb\n\n",
)


@contextmanager
def opened(project: Project) -> Iterator[Dataset]:
    """A window's dataset, as a start makes it, until the next one."""
    thumbnails = Thumbnails()
    model = Dataset(thumbnails)
    model.open(project)
    rest(model)
    try:
        yield model
    finally:
        rest(model)
        model.finish()
        thumbnails.finish()


def rest(model: Dataset) -> None:
    while model.busy or model._files.busy or model.folders.running or model.captions.busy:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)


def contents(project: Project) -> dict[str, bytes]:
    """Every byte that a person can call theirs: pictures, captions, aims, marks."""
    files = [*project.images.rglob("*"), project.focus_file, project.marks_file]
    return {str(f.relative_to(project.root)): f.read_bytes() for f in files if f.is_file()}


def seen(project: Project) -> dict[str, bytes]:
    """The same without what a kill left beside of a file that was being written."""
    found = contents(project)
    return {name: found[name] for name in found if "/.writing-" not in name}


def made(root: Path) -> Project:
    project = create(root / "p", RunConfig(name="P", base="demo"))
    for number in range(4):
        draw_picture(project.images / f"p{number}.png", number)
    for number, content in enumerate(BYTES[:3]):
        (project.images / f"p{number}.txt").write_bytes(content)
    draw_picture(project.images / "p0.webp", 4)  # shares its caption
    return project


class Editing(RuleBasedStateMachine):
    """Any edits of all kinds, undo, redo and restarts among them, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.project = made(self.folder)
        self.window = opened(self.project)
        self.model = self.window.__enter__()
        self.states = [contents(self.project)]  # what each step came from, and now
        self.at = 0

    def teardown(self) -> None:
        self.window.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    def pictures(self) -> list[Path]:
        return [picture.path for picture in self.model.rows.pictures]

    def caption(self, path: Path) -> str:
        return captions.read(path).text

    def after(self) -> None:
        """A step more, unless it went on with the last one, or changed nothing."""
        rest(self.model)
        self.model.rescan()
        rest(self.model)
        now, index = contents(self.project), self.model.undo_stack.index()
        if index == self.at:
            self.states[self.at :] = [now, *self.states[self.at + 1 :]]
        else:
            assert index == self.at + 1
            self.states[index:] = [now]
            self.at = index

    @precondition(lambda self: self.pictures())
    @rule(number=st.integers(0, 9), text=st.sampled_from(TEXTS), apart=st.booleans())
    def types(self, number: int, text: str, apart: bool) -> None:
        path = self.pictures()[number % len(self.pictures())]
        before = self.caption(path)
        self.model.set_caption(path, text, before, apart=apart)
        if apart and text != before:
            assert self.model.undo_stack.index() == self.at + 1
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(text=st.sampled_from(TEXTS))
    def rewords(self, text: str) -> None:
        changes = {path: (self.caption(path), text) for path in self.pictures()}
        self.model.rewrite(changes)
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(number=st.integers(0, 9), count=st.integers(1, 2))
    def removes(self, number: int, count: int) -> None:
        begin = number % len(self.pictures())
        self.model.remove(self.pictures()[begin : begin + count])
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(number=st.integers(0, 9), x=st.sampled_from((None, 0.25, 0.75)))
    def aims(self, number: int, x: float | None) -> None:
        path = self.pictures()[number % len(self.pictures())]
        wanted = dict(self.model.aims.points)
        self.model.aims.set(path, None if x is None else (x, 0.5))
        wanted.pop(path, None)
        if x is not None:
            wanted[path] = (x, 0.5)
        assert focus.read(self.project.focus_file, self.project.root) == wanted
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(
        number=st.integers(0, 9),
        count=st.integers(1, 3),
        mark=st.sampled_from((Mark(), Mark(4), Mark(4, unused=True), Mark(held_out=True))),
    )
    def marks(self, number: int, count: int, mark: Mark) -> None:
        begin = number % len(self.pictures())
        self.model.marking.set(
            "Marked", dict.fromkeys(self.pictures()[begin : begin + count], mark)
        )
        self.after()

    @rule(times=st.integers(0, 2))
    def repeats(self, times: int) -> None:
        self.model.marking.set_repeats({self.project.images: times})
        self.after()

    @rule(rating=st.integers(1, 5))
    def is_marked_elsewhere(self, rating: int) -> None:
        """By another program, in its own spelling, of a picture that we never mark."""
        if self.at or len(self.states) > 1:
            return  # later its bytes are not those of a step
        said = {"pictures": {"other.png": {"rating": rating}}}
        self.project.marks_file.write_text(json.dumps(said))
        self.model.marking.read()
        self.states = [contents(self.project)]

    @precondition(lambda self: self.pictures())
    @rule(number=st.integers(0, 9))
    def cuts(self, number: int) -> None:
        path = self.pictures()[number % len(self.pictures())]
        self.model.cut({path: (0.0, 0.0, 0.9, 1.0)})
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(number=st.integers(0, 9), grey=st.sampled_from((0, 9, 255)))
    def paints(self, number: int, grey: int) -> None:
        path = self.pictures()[number % len(self.pictures())]
        mask = np.full((64, 64), grey, np.uint8)
        self.model.change(
            "Writing", "mask", lambda notes, _: mask_files.write(path, mask, self.project, notes)
        )
        self.after()

    @precondition(lambda self: self.pictures())
    @rule(name=st.sampled_from(sorted(mask_files.CHANGES)), count=st.integers(1, 9))
    def changes_masks(self, name: str, count: int) -> None:
        paths, folder = self.pictures()[:count], self.project.bin
        change = mask_files.CHANGES[name]
        self.model.change(
            "Writing", "masks", lambda notes, work: change(paths, folder, notes, work)
        )
        self.after()

    @rule(number=st.integers(0, 3))
    def imports(self, number: int) -> None:
        source = self.folder / "drop"
        source.mkdir(exist_ok=True)
        draw_picture(source / f"p{number}.png", number)
        (source / f"p{number}.txt").write_bytes(BYTES[number])
        (source / f"p{number}-masklabel.png").write_bytes(canvas.content(np.eye(8, dtype=np.uint8)))
        self.model.import_paths([source / f"p{number}.png"])
        self.after()

    @rule()
    def pastes(self) -> None:
        image = QImage(8, 8, QImage.Format.Format_RGB32)
        image.fill(0)
        self.model.import_picture(image)
        self.after()

    @precondition(lambda self: self.at > 0)
    @rule()
    def undoes(self) -> None:
        self.model.undo_stack.undo()
        rest(self.model)
        self.at -= 1

    @precondition(lambda self: self.at < len(self.states) - 1)
    @rule()
    def redoes(self) -> None:
        self.model.undo_stack.redo()
        rest(self.model)
        self.at += 1

    @rule()
    def starts_anew(self) -> None:
        self.window.__exit__(None, None, None)
        self.window = opened(self.project)
        self.model = self.window.__enter__()
        assert self.model.undo_stack.count() == len(self.states) - 1
        assert self.model.undo_stack.index() == self.at

    @rule()
    def goes_all_the_way(self) -> None:
        """Back to the beginning and forth to the end, and to where it was."""
        stack, here = self.model.undo_stack, self.at
        ways = [*range(here - 1, -1, -1), *range(1, len(self.states)), here]
        for at in ways:
            stack.undo() if at < stack.index() else stack.redo()
            while stack.index() != at:
                stack.undo() if at < stack.index() else stack.redo()
            rest(self.model)
            assert contents(self.project) == self.states[at], at

    @invariant()
    def every_byte_is_right(self) -> None:
        assert contents(self.project) == self.states[self.at]


@pytest.mark.usefixtures("qapp")
def test_any_edits_are_undone_to_the_byte_across_restarts() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Editing,
        settings=settings(
            max_examples=25,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


EDITS = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QEventLoop
from app.models.dataset import Dataset
from app.models.pictures import Thumbnails
from app.views.main_window import MainWindow
from core.data import captions, history
from core.data.marks import Mark
from core.project.layout import Project
import pi_heif, PIL.Image, sqlite3, tests.conftest  # all that the first use would load

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate", "os.chmod"}

def run(root, case, deaths):
    app = QCoreApplication([])
    project = Project(Path(root))
    thumbnails = Thumbnails()
    model = Dataset(thumbnails)
    def rest():
        while model.busy or model._files.busy or model.folders.running or model.captions.busy:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
    model.open(project)
    rest()
    left = [deaths]
    def count(event, args):
        if event != "open" and event not in CHANGING or isinstance(args[0], int):
            return
        path = os.fsdecode(args[0])
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if path.startswith(root) and "/cache/" not in path:
            die_in_time()
    def die_in_time():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    write = history.Notes._write
    def write_or_die(notes, line):
        die_in_time()  # no hook hears of a line that is added to an open file
        write(notes, line)
    history.Notes._write = write_or_die
    sys.addaudithook(count)
    one, two = (project.images / f"p{n}.png" for n in (1, 2))
    if case == "edit":
        model.set_caption(one, "typed", captions.read(one).text); rest()
        model.set_caption(one, "typed on", "typed"); rest()
        model.rewrite({p: (captions.read(p).text, "reworded") for p in (one, two)}); rest()
        model.aims.set(two, (0.25, 0.5)); rest()
        model.aims.set(two, (0.75, 0.5)); rest()
        model.marking.set("Marked", {one: Mark(4), two: Mark(0, True)}); rest()
        model.marking.set_repeats({one.parent: 3}); rest()
        model.cut({two: (0, 0, 0.5, 1)}); rest()
        model.import_paths([Path(root).parent / "drop"]); rest()
        model.remove([one, two]); rest()
    else:
        way = model.undo_stack.undo if case == "undo" else model.undo_stack.redo
        while model.undo_stack.canUndo() if case == "undo" else model.undo_stack.canRedo():
            way(); rest()
    os._exit(0)

for line in sys.stdin:
    case, deaths, root = line.rstrip("\\n").split(" ", 2)
    pid = os.fork()
    if not pid:
        run(root, case, int(deaths))
    status = os.waitpid(pid, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended", flush=True)
"""


@pytest.fixture(scope="module")
def killed() -> Iterator[object]:
    """Does a case in a real process, and kills it before its n-th change of a file."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-c", EDITS], stdin=pipe, stdout=pipe, text=True, env=env
    )
    assert child.stdin is not None
    assert child.stdout is not None

    def kill(case: str, at: int, root: Path) -> bool:
        """Whether it came to be killed."""
        child.stdin.write(f"{case} {at} {root}\n")
        child.stdin.flush()
        said = child.stdout.readline().strip()
        assert said in ("9", "ended"), said
        return said == "9"

    yield kill
    child.stdin.close()
    child.stdout.close()
    child.wait()


def copied(source: Path, folder: Path) -> Project:
    """A project and what is dropped on it, elsewhere, as it was left."""
    shutil.copytree(source, folder)
    return Project(folder / "p")


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("case", ["edit", "undo", "redo"])
def test_a_kill_between_any_two_file_operations_loses_nothing(
    case: str, tmp_path: Path, killed
) -> None:
    project = made(tmp_path / "first")
    fill(tmp_path / "first" / "drop", 2)
    before = seen(project)
    if case != "edit":
        assert not killed("edit", 0, project.root)
    edited = seen(project)
    if case == "redo":
        assert not killed("undo", 0, project.root)
        assert seen(project) == before
    at, died = 0, True
    while died:
        at += 1
        mine = copied(tmp_path / "first", tmp_path / f"{case}{at}")
        died = killed(case, at, mine.root)
        with opened(mine) as model:
            stack = model.undo_stack
            if case != "edit":
                while stack.canRedo():
                    stack.redo()
                    rest(model)
                assert seen(mine) == edited, at
            while stack.canUndo():
                stack.undo()
                rest(model)
            assert seen(mine) == before, at
        shutil.rmtree(tmp_path / f"{case}{at}")
    assert at > 20


def test_undo_is_there_after_a_restart_and_says_what_it_takes_back(
    faked: MainWindow, qtbot: QtBot, project: Project
) -> None:
    dataset = faked.studio.dataset
    faked.show_page("Dataset")
    assert faked.undo.text() == "Undo"
    pictures = dataset.rows.pictures
    dataset.rewrite({one.path: (one.caption, "all alike") for one in pictures})
    qtbot.waitUntil(lambda: not dataset.busy)
    faked.studio.workspace.close()
    assert faked.undo.text() == "Undo"
    open_project(faked, qtbot, project)
    assert faked.undo.text() == "Undo: 6 captions reworded"
    faked.undo.trigger()
    qtbot.waitUntil(lambda: dataset.rows.pictures[5].caption == "a ball number 5")
    assert (project.images / "p05.txt").read_text() == "a ball number 5"
    assert (faked.undo.text(), faked.redo.text()) == ("Undo", "Redo: 6 captions reworded")
    faked.show_page("Train")
    assert faked.redo.text() == "Redo"


@pytest.mark.parametrize(
    "damage", [b"", b"\x00\xff\n", b'{"version":1}\n{"did":"x"}\n', b'{"version":2}\n', b"[1]\n"]
)
def test_a_damaged_history_is_said_once_and_costs_nothing_else(
    qtbot: QtBot, project: Project, damage: bytes
) -> None:
    with opened(project) as model:
        path = model.rows.pictures[0].path
        assert model.set_caption(path, "mine", "a ball number 0")
    order = project.root / ".history" / "order.jsonl"
    order.write_bytes(damage)
    said: list[str] = []
    for _ in range(2):
        thumbnails = Thumbnails()
        model = Dataset(thumbnails)
        model.failed.connect(said.append)
        model.open(project)
        rest(model)
        model.finish()
        thumbnails.finish()
    assert path.with_suffix(".txt").read_text() == "mine"
    if not damage:  # the steps are there: what they say is enough
        assert said == []
        assert model.undo_stack.undoText() == "caption of p00.png"
        return
    (words,) = said
    assert "history is damaged" in words
    assert str(project.bin / "history-1") in words
    assert (project.bin / "history-1" / "order.jsonl").read_bytes() == damage
    assert not model.undo_stack.canUndo()


def test_a_line_cut_short_is_no_damage(qtbot: QtBot, project: Project) -> None:
    with opened(project) as model:
        path = model.rows.pictures[0].path
        assert model.set_caption(path, "mine", "a ball number 0")
    folder = project.root / ".history"
    whole = {file: file.read_bytes() for file in folder.glob("*.jsonl")}
    for file, content in whole.items():
        for cut in range(0, len(content), 7):
            file.write_bytes(content[:cut])
            with opened(project) as model:
                while model.undo_stack.canUndo():
                    model.undo_stack.undo()
                assert path.with_suffix(".txt").read_text() in ("mine", "a ball number 0")
                assert model.set_caption(path, "anew", captions.read(path).text)
                model.undo_stack.undo()
            path.with_suffix(".txt").write_text("mine")
            shutil.rmtree(folder)
            folder.mkdir()
            for one, old in whole.items():
                one.write_bytes(old)


def test_old_steps_fall_off(
    qtbot: QtBot, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 2000)
    with opened(project) as model:
        path = model.rows.pictures[0].path
        before = "a ball number 0"
        for number in range(20):
            text = f"{number} " + "x" * 200
            assert model.set_caption(path, text, before, apart=True)
            before = text
        files = list((project.root / ".history").glob("0*.jsonl"))
        assert sum(file.stat().st_size for file in files) <= 2000
        assert len(files) > 1
        with qtbot.waitSignal(model.failed) as said:
            while model.undo_stack.canUndo():
                model.undo_stack.undo()
        assert "too long ago" in said.args[0]
    with opened(project) as model:
        assert not model.undo_stack.canUndo()
        assert model.undo_stack.count() == len(files)


def test_another_programs_picture_is_left_alone(qtbot: QtBot, project: Project) -> None:
    """A removal that is done again takes what was removed, and not what has come since."""
    with opened(project) as model:
        path = model.rows.pictures[0].path
        model.remove([path])
        rest(model)
        model.undo_stack.undo()
        rest(model)
        draw_picture(path, 4, (80, 80))
        content = path.read_bytes()
        with qtbot.waitSignal(model.failed) as said:
            model.undo_stack.redo()
            rest(model)
    assert "p00.png" in said.args[0]
    assert path.read_bytes() == content


def test_an_edit_that_stands_alone_does_not_go_on_with_what_was_typed(
    qtbot: QtBot, project: Project
) -> None:
    with opened(project) as model:
        path = model.rows.pictures[0].path
        assert model.set_caption(path, "typed", "a ball number 0")
        assert model.set_caption(path, "typed on", "typed")
        assert model.set_caption(path, "typed on, tag", "typed on", apart=True)
        model.undo_stack.undo()
        assert captions.read(path).text == "typed on"
        model.undo_stack.undo()
        assert captions.read(path).text == "a ball number 0"


def test_what_was_undone_stays_so_after_a_restart(qtbot: QtBot, project: Project) -> None:
    sidecar = project.images / "p00.txt"
    with opened(project) as model:
        path = model.rows.pictures[0].path
        assert model.set_caption(path, "mine", "a ball number 0")
        model.undo_stack.undo()
    with opened(project) as model:
        assert sidecar.read_text() == "a ball number 0"
        assert not model.undo_stack.canUndo()
        model.undo_stack.redo()
        assert sidecar.read_text() == "mine"
    with opened(project) as model:
        assert not model.undo_stack.canRedo()
        model.undo_stack.undo()
        assert sidecar.read_text() == "a ball number 0"


def test_two_crops_are_both_kept(qtbot: QtBot, project: Project) -> None:
    with opened(project) as model:
        first, second = (model.rows.pictures[number].path for number in (0, 1))
        model.aims.set(first, (0.25, 0.5))
        model.aims.set(second, (0.75, 0.5))
        wanted = {first: (0.25, 0.5), second: (0.75, 0.5)}
        assert focus.read(project.focus_file, project.root) == wanted
        model.undo_stack.undo()
        del wanted[second]
        assert focus.read(project.focus_file, project.root) == model.aims.points == wanted


def test_a_spelling_that_needs_no_letter_comes_back(qtbot: QtBot, project: Project) -> None:
    """Without its last letter that is not plain, cp1252 cannot be told from UTF-8."""
    sidecar = project.images / "p00.txt"
    sidecar.write_bytes("caf\u00e9".encode("cp1252"))
    with opened(project) as model:
        path = model.rows.pictures[0].path
        assert model.set_caption(path, "caf", "caf\u00e9", apart=True)
        assert model.set_caption(path, "caf\u00e9", "caf", apart=True)
        model.undo_stack.undo()
        model.undo_stack.undo()
    assert sidecar.read_bytes() == b"caf\xe9"


def test_a_second_window_has_a_history_of_its_own(qtbot: QtBot, project: Project) -> None:
    with opened(project) as first:
        path = first.rows.pictures[0].path
        assert first.set_caption(path, "first", "a ball number 0")
        with opened(project) as second:
            assert not second.undo_stack.canUndo()
            assert second.set_caption(path, "second", "first")
            second.undo_stack.undo()
            assert captions.read(path).text == "first"
        first.undo_stack.undo()
        assert captions.read(path).text == "a ball number 0"
