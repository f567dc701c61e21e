"""Parts of the window by themselves: messages, the loss chart, thumbnails, rows, background work."""

import random
from array import array
from pathlib import Path
from threading import Event

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.models.background import Background, Work
from app.models.news import News
from app.models.pictures import THREADS, WAITING, Thumbnails
from app.models.rows import RUNS, changes
from app.widgets import chart as chart_module
from app.widgets.chart import PARTS, LossChart, thinned
from app.widgets.messages import FAILURES, Messages
from core.data.scan import Picture
from tests.conftest import draw_picture
from tests.gui.conftest import button


@pytest.fixture
def over(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_messages_lie_at_the_lower_edge_and_stay_as_long_as_they_should(
    over: QWidget, qtbot: QtBot
) -> None:
    news = News()
    messages = Messages(news, over)
    news.note("first")
    news.note("second", lasting=True)
    assert messages.text == "second"
    for number in range(FAILURES + 2):
        news.failure(f"failure {number}")
    news.failure("failure 4")  # once more: not twice
    assert messages.text.splitlines() == ["second", "failure 2", "failure 3", "failure 4"]
    assert messages.geometry().bottom() < over.height()
    assert messages.geometry().top() > over.height() / 3
    messages._passing.timeout.emit()
    assert messages.text.startswith("second")
    news.note("third")
    messages._passing.timeout.emit()
    assert "third" not in messages.text
    button(messages, "Close").click()
    assert messages.text.splitlines() == ["failure 3", "failure 4"]
    news.cleared.emit()
    assert not messages.isVisible()


def test_an_action_is_done_once_and_its_message_goes(over: QWidget) -> None:
    news, done = News(), []
    messages = Messages(news, over)
    news.note("Removed 3 pictures.", action="Undo", on_action=lambda: done.append(1))
    button(messages, "Undo").click()
    assert done == [1]
    assert not messages.isVisible()


def test_messages_are_announced(over: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(
        QAccessible, "updateAccessibility", lambda e: said.append((e.message(), e.politeness()))
    )
    news = News()
    Messages(news, over)
    news.note("quiet")
    news.failure("loud")
    levels = QAccessible.AnnouncementPoliteness
    assert said == [("quiet", levels.Polite), ("loud", levels.Assertive)]


@pytest.fixture
def chart(qtbot: QtBot) -> LossChart:
    made = LossChart()
    qtbot.addWidget(made)
    made.resize(600, 300)
    made.show()
    return made


def drawn(chart: LossChart) -> list[float]:
    raw = chart._raw.getData()[0] if chart._raw is not None else None
    return [] if raw is None else list(raw)


def test_the_chart_shows_a_whole_run_whatever_the_mouse_does(
    chart: LossChart, qtbot: QtBot
) -> None:
    chart.show_losses(range(1, 101), [0.5] * 100, [0.5] * 100)
    qtbot.waitUntil(lambda: len(drawn(chart)) == 100)
    before = chart._plot.viewRange()
    plot = chart._plot.viewport()
    facts = (QPoint(0, 120), QPoint(0, 120), Qt.MouseButton.NoButton)
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    wheel = QWheelEvent(QPointF(200, 100), QPointF(200, 100), *facts, none, phase, False)
    QApplication.sendEvent(plot, wheel)
    for act, x in ((qtbot.mousePress, 200), (qtbot.mouseMove, 300), (qtbot.mouseRelease, 300)):
        act(
            plot,
            *([] if act is qtbot.mouseMove else [Qt.MouseButton.LeftButton]),
            pos=QPoint(x, 90),
        )
    assert chart._plot.viewRange() == before
    chart.show_losses(range(1, 11), [0.1] * 10, [0.1] * 10)  # another run
    qtbot.waitUntil(lambda: len(drawn(chart)) == 10)
    chart.grab()
    assert chart._plot.viewRange()[0][1] < 15


def test_the_chart_is_drawn_five_times_a_second_and_only_when_seen(
    chart: LossChart, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []
    real = chart_module.thinned
    monkeypatch.setattr(
        chart_module, "thinned", lambda *data: times.append(len(data[0])) or real(*data)
    )
    steps, losses = array("q"), array("d")
    for step in range(1, 201):
        steps.append(step)
        losses.append(0.5)
        chart.show_losses(steps, losses, losses)
    qtbot.waitUntil(lambda: len(drawn(chart)) == 200)
    assert len(times) == 2  # both lines, once
    chart.hide()
    steps.append(201)
    losses.append(0.5)
    chart.show_losses(steps, losses, losses)
    assert not chart._timer.isActive()
    chart.show()
    qtbot.waitUntil(lambda: len(drawn(chart)) == 201)


def test_thinning_keeps_the_outline() -> None:
    rng = random.Random(0)
    losses = [rng.random() for _ in range(100_003)]
    losses[70_001] = 99.0
    x, y = thinned(range(100_003), losses)
    assert len(x) <= 2 * PARTS + 100_003 % PARTS
    assert list(x) == sorted(x)
    assert (max(y), min(y)) == (99.0, min(losses))
    assert x[list(y).index(99.0)] == 70_001
    assert list(thinned([1, 2], [0.5, 0.25])[1]) == [0.5, 0.25]


def test_decodes_that_nobody_waits_for_are_dropped_and_asked_for_again(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, decoded = Event(), []

    def load(path: Path, *_a: object, **_k: object) -> QImage:
        goes_on.wait(10)
        decoded.append(path)
        return QImage(8, 8, QImage.Format.Format_RGB32)

    monkeypatch.setattr("app.models.pictures.load", load)
    paths = [tmp_path / f"{n:05}.png" for n in range(3 * WAITING)]
    for path in paths:
        path.write_bytes(b"")
    store, came = Thumbnails(), []
    store.ready.connect(came.append)
    for path in paths:  # a scroll bar is dragged
        store.get(path)
    assert store.waiting == WAITING + THREADS
    goes_on.set()
    qtbot.waitUntil(lambda: store.waiting == 0)
    assert len(decoded) == WAITING + THREADS
    assert decoded[THREADS] in paths[-3:]  # the newest first
    assert came.count("") == 1  # so that a view asks again for what it still shows
    store.get(paths[5])
    qtbot.waitUntil(lambda: came[-1] == str(paths[5]))
    store.finish()


def test_thumbnails_have_the_screens_pixels_and_the_tiles_size(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw_picture(tmp_path / "a.png", 1, (1200, 1200))
    store = Thumbnails()
    app = type(QApplication.instance())
    for scale, edge, wanted in ((1.0, 100, 160), (1.0, 200, 288), (2.0, 100, 320), (2.0, 999, 576)):
        monkeypatch.setattr(app, "devicePixelRatio", lambda _app, scale=scale: scale)
        with qtbot.waitSignal(store.ready):
            store.get(path, edge)
        assert store.get(path, edge).width() == wanted
    store.finish()


def picture(name: str, caption: str = "") -> Picture:
    return Picture(Path(name), 64, 64, caption)


def applied(old: list[Picture], new: list[Picture]) -> list[Picture]:
    """As the dataset does it, row by row."""
    what, rows = changes(old, new), list(old)
    if what.anew:
        return new
    for first, last in what.gone:
        del rows[first : last + 1]
    for first, last in what.come:
        rows[first:first] = new[first : last + 1]
    for row in what.altered:
        rows[row] = new[row]
    return rows


def test_changes_turn_any_list_into_any_other() -> None:
    rng = random.Random(1)
    for _ in range(500):
        names = [f"{n:02}" for n in range(14)]
        old = [picture(n) for n in names if rng.random() < 0.6]
        new = [picture(n, rng.choice(["", "x"])) for n in names if rng.random() < 0.6]
        assert applied(old, new) == new
    assert not changes(old, old)
    assert changes([picture("b"), picture("a")], [picture("a"), picture("b")]).anew
    whole = [picture(f"{n:03}") for n in range(4 * RUNS)]
    assert changes(whole, whole[::2]).anew
    assert changes([], whole).come == ((0, 4 * RUNS - 1),)


def test_background_work_is_in_order_and_always_ends(qtbot: QtBot) -> None:
    background, said = Background(), []

    def broken(_work: Work) -> None:
        raise KeyError("odd")

    background.start("One", lambda _work: 1, lambda *what: said.append(what))
    background.start("Two", broken, lambda *what: said.append(what))
    background.start("Three", lambda work: work.stopped, lambda *what: said.append(what))
    background.stop()
    with qtbot.waitSignal(background.rested):
        background.start("Four", lambda work: work.stopped, lambda *what: said.append(what))
    assert [result for result, _ in said] == [1, None, True, False]
    assert said[1][1] == "Two ended early: KeyError: 'odd'."
    background.finish()
