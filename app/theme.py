"""Colours and the style sheet: Fusion with our own palette, dark and light."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QBuffer, QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QFontInfo, QIcon, QImageReader, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from core.base.value import ASSETS


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours; text on window and panel has a contrast of at least 4.5 : 1."""

    window: str
    panel: str
    raised: str
    line: str
    text: str
    secondary: str
    accent: str
    on_accent: str
    good: str
    warn: str
    bad: str


DARK = Theme(
    window="#16181d",
    panel="#1e2128",
    raised="#272b34",
    line="#333844",
    text="#e8eaf0",
    secondary="#9aa2b1",
    accent="#7c9cff",
    on_accent="#0e1222",
    good="#4cc38a",
    warn="#f0b429",
    bad="#f4676b",
)
LIGHT = Theme(
    window="#f6f7f9",
    panel="#ffffff",
    raised="#ffffff",
    line="#d9dde5",
    text="#1b1f27",
    secondary="#5b6472",
    accent="#3b5bdb",
    on_accent="#ffffff",
    good="#1a7f4f",
    warn="#946200",
    bad="#c92a2f",
)

HUGE, TITLE, SMALL = 2.0, 10 / 7, 6 / 7  # of the system's text size

_SHEET = """
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {line}; padding: 4px; }}
#rail, #strip {{ background: {panel}; }}
#rail {{ border-right: 1px solid {line}; }}
#strip {{ border-top: 1px solid {line}; }}
#rail QToolButton {{ border: none; border-radius: 6px; padding: 8px 4px; font-size: {small}pt;
    color: {secondary}; }}
#rail QToolButton:hover {{ background: {raised}; }}
#rail QToolButton:checked {{ background: {raised}; color: {text}; }}
QToolButton:focus, QPushButton:focus {{ border: 2px solid {accent}; }}
#title {{ font-size: {title}pt; font-weight: 600; }}
#huge {{ font-size: {huge}pt; font-weight: 600; }}
#strong {{ font-weight: 600; }}
#secondary {{ color: {secondary}; }}
#small {{ color: {secondary}; font-size: {small}pt; }}
#warning {{ color: {warn}; }}
#fold {{ border: none; background: transparent; padding: 6px 0; text-align: left; }}
#panel {{ background: {panel}; border: 1px solid {line}; border-radius: 6px; }}
#panel QLabel {{ background: transparent; }}
#palette {{ background: {panel}; border: 1px solid {line}; }}
#palette QListWidget {{ background: transparent; border: none; outline: none; }}
#palette QListWidget::item {{ padding: 6px 8px; border-radius: 4px; }}
#palette QListWidget::item:selected {{ background: {line}; color: {text}; }}
#chips {{ background: {window}; border: 1px solid {line}; border-radius: 6px; padding: 4px; }}
#chips:focus {{ border: 2px solid {accent}; padding: 3px; }}
#chips QLineEdit {{ padding: 1px 6px; }}
#suggestions {{ background: {raised}; border: 1px solid {line}; outline: none; padding: 2px; }}
#suggestions::item {{ padding: 4px 8px; border-radius: 4px; }}
#suggestions::item:hover {{ background: {panel}; }}
#suggestions::item:selected {{ background: {line}; color: {text}; }}
#drop {{ border: 2px dashed {line}; border-radius: 12px; }}
#drops {{ border: 2px dashed {accent}; border-radius: 12px; }}
#drops QLabel {{ background: {raised}; border: 1px solid {accent}; border-radius: 6px;
    padding: 16px 24px; }}
#message {{ background: {raised}; border: 1px solid {line}; border-left: 4px solid {bad};
    border-radius: 6px; }}
#message[kind="note"] {{ border-left-color: {secondary}; }}
#message QLabel {{ background: transparent; }}
QPushButton {{ background: {raised}; border: 1px solid {line}; border-radius: 6px;
    padding: 6px 16px; min-height: 20px; }}
QPushButton:focus {{ padding: 5px 15px; }}
QPushButton:hover {{ border-color: {secondary}; }}
QPushButton:disabled {{ color: {secondary}; }}
QPushButton#primary {{ background: {accent}; color: {on_accent}; border-color: {accent};
    font-weight: 600; }}
QPushButton#primary:disabled {{ background: {raised}; color: {secondary}; border-color: {line}; }}
QPushButton#primary:focus {{ border: 2px solid {text}; }}
QPushButton#card, QPushButton#card:focus {{ background: {panel}; padding: 0; min-height: 112px; }}
QPushButton#view {{ background: transparent; border: 1px solid transparent; padding: 4px 12px;
    color: {secondary}; }}
QPushButton#view:hover {{ background: {raised}; }}
QPushButton#view:checked {{ background: {raised}; border-color: {line}; color: {text}; }}
QPushButton#view:focus {{ border: 2px solid {accent}; padding: 3px 11px; }}
QToolButton#project {{ border: none; border-radius: 6px; padding: 6px 8px; font-weight: 600; }}
QToolButton#project::menu-indicator {{ image: none; }}
QToolButton#project:hover {{ background: {raised}; }}
QPlainTextEdit, QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox {{ background: {window};
    border: 1px solid {line}; border-radius: 6px; padding: 5px 8px; }}
QPlainTextEdit:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{
    border: 2px solid {accent}; padding: 4px 7px; }}
QCheckBox::indicator, QTableView::indicator {{ width: 16px; height: 16px;
    border: 1px solid {secondary}; border-radius: 4px; background: {window}; }}
QCheckBox::indicator:checked, QTableView::indicator:checked {{ background: {accent};
    border-color: {accent}; image: url("{icons}/check.svg"); }}
QRadioButton::indicator {{ width: 14px; height: 14px; border: 1px solid {secondary};
    border-radius: 8px; background: {window}; }}
QRadioButton::indicator:checked {{ border: 5px solid {accent}; width: 6px; height: 6px; }}
QRadioButton::indicator:focus {{ border-color: {accent}; }}
QCheckBox::indicator:focus {{ border: 2px solid {accent}; width: 14px; height: 14px; }}
QListView, QTableView, QScrollArea {{ background: transparent; border: none; outline: none; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
#queue, #queue QWidget {{ background: transparent; border: none; outline: none; }}
#queue::item {{ padding: 4px 8px; }}
#queue::item:hover {{ background: {raised}; }}
#queue::item:selected {{ background: {line}; color: {text}; }}
#findings::item {{ padding: 4px 14px; border-radius: 4px; }}
#findings::item:hover {{ background: {raised}; }}
#findings::item:selected {{ background: {line}; color: {text}; }}
QTableView {{ selection-background-color: transparent; }}
#proposals::item:selected {{ background: {raised}; color: {text}; }}
#proposals::item:focus {{ border: 1px solid {accent}; }}
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button {{ width: 0; height: 0; border: none; }}
QComboBox {{ combobox-popup: 0; padding-left: 10px; padding-right: 20px; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox::down-arrow {{ image: url("{icons}/chevron-down.svg"); width: 12px; height: 12px; }}
QTableCornerButton::section {{ background: transparent; border: none; }}
QHeaderView {{ background: transparent; border: none; }}
QHeaderView::section {{ background: transparent; color: {secondary}; border: none; padding: 4px;
    font-size: {small}pt; font-weight: 400; }}
QHeaderView::section:vertical {{ padding-left: 0; }}
QScrollBar:vertical {{ background: transparent; width: 12px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
QScrollBar::handle {{ background: {line}; border-radius: 4px; margin: 2px; min-height: 32px;
    min-width: 32px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QSplitter::handle {{ background: transparent; }}
QProgressBar {{ background: {line}; border: none; border-radius: 4px; max-height: 8px;
    min-height: 8px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 4px; }}
QSlider {{ min-height: 20px; }}
QSlider::groove:horizontal {{ background: {line}; height: 4px; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {secondary}; height: 4px; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {text}; border: 2px solid {panel}; width: 12px;
    height: 12px; margin: -6px 0; border-radius: 8px; }}
QSlider::handle:horizontal:focus {{ border-color: {accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {line}; }}
QSlider::handle:horizontal:disabled {{ background: {secondary}; }}
QMenu {{ background: {raised}; border: 1px solid {line}; padding: 4px; }}
QMenu::item {{ padding: 6px 24px 6px 12px; border-radius: 4px; }}
QMenu::item:selected {{ background: {line}; color: {text}; }}
"""

_ICONS = ASSETS / "icons"
_SCALES = (1, 2, 3)  # of screens; Qt shrinks the next larger one for those between

_current = DARK


def current() -> Theme:
    """The colours in use, for what paints itself."""
    return _current


def apply(app: QApplication, *, dark: bool) -> None:
    """Set style, palette and style sheet of the whole program."""
    global _current  # noqa: PLW0603 - one theme at a time, as Qt has one palette
    _current = DARK if dark else LIGHT
    app.setStyle("Fusion")
    app.setPalette(_palette(_current))
    colours = {name: getattr(_current, name) for name in Theme.__slots__}
    text = QFontInfo(app.font()).pointSizeF()
    shares = {"huge": HUGE, "title": TITLE, "small": SMALL}
    sizes = {name: round(share * text, 1) for name, share in shares.items()}
    app.setStyleSheet(_SHEET.format(**colours, **sizes, icons=_ICONS.as_posix()))


def system_is_dark(app: QApplication) -> bool:
    """What the system asks for; dark where it does not say."""
    return app.styleHints().colorScheme() != Qt.ColorScheme.Light


def dress(app: QApplication, look: str) -> None:
    """Light, dark, or as the system."""
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    app.styleHints().setColorScheme(schemes.get(look, Qt.ColorScheme.Unknown))  # of the frame, too
    apply(app, dark=look == "dark" or (look != "light" and system_is_dark(app)))


def drawing(name: str, side_px: int, scale: float) -> QPixmap:
    """One of `assets/icons` in the theme's quiet colour, for a screen of that scale."""
    coloured = _coloured((_ICONS / f"{name}.svg").read_bytes(), _current.secondary)
    drawn = _drawn(coloured, round(scale * side_px))
    drawn.setDevicePixelRatio(scale)
    return drawn


def icon(name: str, side_px: int) -> QIcon:
    """A drawing of `assets/icons` in the theme's colours, sharp at 100 to 300 % scaling."""
    svg, drawn = (_ICONS / f"{name}.svg").read_bytes(), QIcon()
    for colour, mode, state in (
        (_current.secondary, QIcon.Mode.Normal, QIcon.State.Off),
        (_current.text, QIcon.Mode.Normal, QIcon.State.On),
        (_current.line, QIcon.Mode.Disabled, QIcon.State.Off),
    ):
        coloured = _coloured(svg, colour)
        for scale in _SCALES:
            drawn.addPixmap(_drawn(coloured, scale * side_px), mode, state)
    return drawn


def _coloured(svg: bytes, colour: str) -> bytes:
    return svg.replace(b"<path ", f'<path fill="{colour}" '.encode())


def _drawn(svg: bytes, side_px: int) -> QPixmap:
    buffer = QBuffer()
    buffer.setData(QByteArray(svg))
    reader = QImageReader(buffer, QByteArray(b"svg"))
    reader.setScaledSize(QSize(side_px, side_px))
    return QPixmap.fromImageReader(reader)


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for name, value in {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.window,
        role.AlternateBase: theme.panel,
        role.Text: theme.text,
        role.PlaceholderText: theme.secondary,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Link: theme.accent,
        role.Accent: theme.accent,
        role.Mid: theme.line,
    }.items():
        palette.setColor(name, QColor(value))
    for name in (role.Text, role.ButtonText, role.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(theme.secondary))
    return palette
