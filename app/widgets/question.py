"""A question that stops everything else: only for what cannot be undone."""

from __future__ import annotations

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
