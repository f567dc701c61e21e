"""The Qt binding gives back what it takes, or a long run ends in an abort of the whole window."""

import sys

import pytest
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

CALLS = 2000


class Teller(QObject):
    told = Signal(str)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None, True and False are immortal there")
def test_none_and_true_keep_their_references(qtbot: QtBot) -> None:
    """PySide6 6.12.0 lost one of None in each call, and one of True in each emit."""
    spare = [None] * 2 * CALLS + [True] * 2 * CALLS  # so that this test fails, not Python
    label, timer, teller = QLabel(), QTimer(), Teller()
    qtbot.addWidget(label)
    teller.told.connect(label.setText)
    before = [sys.getrefcount(one) for one in (None, True)]
    for _ in range(CALLS):
        label.setText("x")
        timer.stop()
        teller.told.emit("y")
    lost = [b - sys.getrefcount(one) for b, one in zip(before, (None, True), strict=True)]
    del spare
    assert max(lost) < CALLS / 10
