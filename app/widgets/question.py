"""A question that stops everything else: only where nothing can go on before it is answered."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QMessageBox, QWidget


def confirmed(
    parent: QWidget, what: str, consequence: str, *, yes: str, no: str, harmless: bool = True
) -> bool:
    """Ask whether to go on; Return means `yes` where that is `harmless`, else `no`."""
    box = QMessageBox(parent)
    box.setText(what)
    box.setInformativeText(consequence)
    role = QMessageBox.ButtonRole
    accept = box.addButton(yes, role.AcceptRole if harmless else role.DestructiveRole)
    reject = box.addButton(no, role.RejectRole)
    box.setDefaultButton(accept if harmless else reject)
    box.setEscapeButton(reject)
    box.exec()
    return box.clickedButton() is accept


def way(parent: QWidget, what: str, more: str, ways: Sequence[str]) -> str:
    """Which of several ways a person wants to go; "" is none, by Escape."""
    box = QMessageBox(parent)
    box.setText(what)
    box.setInformativeText(more)
    buttons = {box.addButton(name, QMessageBox.ButtonRole.ActionRole): name for name in ways}
    none = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(next(iter(buttons)))
    box.setEscapeButton(none)
    box.exec()
    return next((name for button, name in buttons.items() if box.clickedButton() is button), "")
