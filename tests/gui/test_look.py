"""Light and dark can be chosen and are remembered; a large screen is for pictures."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QMenu, QSlider
from pytestqt.qtbot import QtBot

from app import settings, theme
from app.main import make_window
from app.views.main_window import NAMES, MainWindow
from core.project.layout import Project
from tests.gui.conftest import train_page
from tests.gui.made_runs import made_run


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.styleHints().setColorScheme(Qt.ColorScheme.Unknown)
    theme.apply(app, dark=True)


def ground(window: MainWindow) -> str:
    return window.grab().toImage().pixelColor(window.width() // 2, window.height() - 3).name()


@pytest.mark.parametrize(("look", "colours"), [("light", theme.LIGHT), ("dark", theme.DARK)])
def test_a_look_is_chosen_and_remembered(
    window: MainWindow, look: str, colours: theme.Theme
) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    theme.apply(app, dark=look == "light")  # the other one
    window.studio.actions[f"look.{look}"].trigger()
    assert ground(window) == colours.window
    assert window.studio.actions[f"look.{look}"].isChecked()
    theme.apply(app, dark=look == "light")
    again = make_window(app, [])
    assert theme.current() is colours
    assert again.studio.actions[f"look.{look}"].isChecked()
    again.close()


def test_it_is_in_the_menu_and_anything_else_is_the_systems(window: MainWindow) -> None:
    menu = window._project_menu.menu()
    menu.aboutToShow.emit()
    [look] = [
        one
        for one in menu.findChildren(QMenu) + window.findChildren(QMenu)
        if one.title() == "Look"
    ]
    assert [action.text() for action in look.actions()] == ["As the system", "Light", "Dark"]
    assert look.menuAction() in menu.actions()
    assert look.actions()[0].isChecked()
    window.studio.store.setValue("look", "pink")
    assert settings.look(window.studio.store) == "system"


def test_on_a_wide_screen_the_rest_belongs_to_the_pictures(
    faked: MainWindow, project: Project, qtbot: QtBot
) -> None:
    faked.show_page("Train")
    page = train_page(faked)
    faked.resize(1100, 800)
    qtbot.waitUntil(lambda: page.width() < 1100)
    assert not page.yours.isVisible()
    faked.resize(2560, 1440)
    qtbot.waitUntil(page.yours.isVisible)
    assert page.form.width() <= 900
    colour = QImage(str(project.images / "p00.png")).pixelColor(5, 5).name()

    def seen() -> bool:
        image = page.yours.grab().toImage()
        return colour in {image.pixelColor(x, 60).name() for x in range(0, image.width(), 5)}

    qtbot.waitUntil(seen)
    made_run(project, "#ff0000")
    faked.studio.runs.open(project)
    qtbot.waitUntil(lambda: not faked.studio.runs.reading)
    seen_sliders = 0
    for name in NAMES:
        faked.show_page(name)
        QApplication.processEvents()
        sliders = [slider for slider in faked.findChildren(QSlider) if slider.isVisible()]
        assert all(slider.width() <= 900 for slider in sliders)
        seen_sliders += len(sliders)
    assert seen_sliders >= 3
