"""Read and write run files (TOML), and apply `--set` changes."""

from __future__ import annotations

import codecs
import contextlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.config.options import SCHEMA, RunConfig
from core.errors import ConfigError, NewerVersionError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _umask() -> int:
    """The process's umask: mkstemp makes private files, a caption should not become one."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


_MOST_BYTES = 2**20  # a run file has 1 or 2 kB
_UMASK = _umask()  # read once: to read it is to change it, for other threads, too


def write_beside(path: Path, content: bytes) -> None:
    """Write a new file next to `path`, flush it to the disk and rename it into place.

    Whoever reads `path` sees the old content or the new, never a part.

    Raises:
        StorageError: The folder is not writable or the disk is full; `path` is unchanged.
    """
    beside: Path | None = None
    try:
        path = path.resolve() if path.is_symlink() else path  # the link stays a link
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=".part")
        beside = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        set_mode(beside, path.stat().st_mode if path.exists() else 0o666 & ~_UMASK)
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        raise StorageError.writing(path, error) from error


def set_mode(path: Path, mode: int) -> None:
    """Who may read a file; sticks, shares and Windows' drives under Linux often refuse to know."""
    with contextlib.suppress(OSError):
        path.chmod(mode)


@lru_cache(maxsize=8)  # opening a project reads its settings several times
def decode(content: bytes, path: Path) -> RunConfig:
    """A run file's content; `path` is for the messages.

    Raises:
        NewerVersionError: Its schema is above ours.
        ConfigError: Not TOML, an unknown option or a value out of bounds.
    """
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path} is too large for settings.", hint="Restore the file.")
    try:
        tree: Any = msgspec.toml.decode(_text(content))
        schema = tree.get("schema", SCHEMA)
        if isinstance(schema, int) and schema > SCHEMA:
            raise NewerVersionError(
                f"{path} was written by a newer version of Stylewright.",
                hint="Update Stylewright to open it. Nothing in it was changed.",
            )
        return msgspec.convert(tree, RunConfig)
    # ValueError: bytes that are no text, numbers of thousands of digits
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        words = "it is nested too deeply" if isinstance(error, RecursionError) else error
        hint = "Correct that line, or restore the file."
        if any(word in str(error) for word in ("hex value", "escape", "backslash")):
            hint = "Write paths with / or between single quotes: base = 'C:\\Models\\mine'."
        raise ConfigError(f"{path} cannot be used: {words}.", hint=hint) from error


def _text(content: bytes) -> str:
    """TOML is UTF-8; Windows' editors put a mark before it, and PowerShell writes UTF-16."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8-sig")


def merged(before: RunConfig, ours: RunConfig, theirs: RunConfig) -> RunConfig:
    """Two sides' changes to `before` together; of an option that both changed, ours.

    Raises:
        ConfigError: Together they are out of bounds.
    """
    tree = _merged(*map(msgspec.to_builtins, (before, ours, theirs)))
    try:
        return msgspec.convert(tree, RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"The settings do not fit what another program has written: {error}.",
            hint="Open the project again to see what is there.",
        ) from error


def _merged(before: Any, ours: Any, theirs: Any) -> Any:  # noqa: ANN401 - trees of options
    if isinstance(ours, dict):
        return {name: _merged(before[name], ours[name], theirs[name]) for name in ours}
    return theirs if ours == before else ours


def load(path: Path) -> RunConfig:
    """Read a run file.

    Raises:
        ConfigError, NewerVersionError: See `decode`; also when the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read.", hint="Choose a folder that holds a Stylewright project."
        ) from error
    return decode(content, path)


def save(config: RunConfig, path: Path) -> None:
    """Write a run file; what a person wrote into it beside the settings stays.

    Raises:
        StorageError: It cannot be written.
        ConfigError: A name in it is none that text can hold.
    """
    try:
        content = _changed(path, config) or msgspec.toml.encode(config)
    except UnicodeEncodeError as error:
        raise _no_text(error) from error
    write_beside(path, content)


def _no_text(error: UnicodeEncodeError) -> ConfigError:
    return ConfigError(
        f"A name in the settings cannot be written: {error.object[:80]!r}.",
        hint="Rename that folder or file: its name is not UTF-8.",
    )


def _changed(path: Path, config: RunConfig) -> bytes | None:
    """The file that is there with other values, its comments and order kept; None if it cannot be.

    What would not be read back as `config` is not used.
    """
    import tomlkit  # for writing alone: a window that only opens a project does without
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(_text(path.read_bytes()))
        _set_values(document, msgspec.to_builtins(config))
        content = tomlkit.dumps(document).encode()
        return content if decode(content, path) == config else None
    except (OSError, ValueError, TOMLKitError, RecursionError, ConfigError):
        return None


def _set_values(table: Any, tree: dict[str, Any]) -> None:  # noqa: ANN401 - tomlkit's containers
    for name, value in tree.items():
        if isinstance(value, dict) and isinstance(table.get(name), dict):
            _set_values(table[name], value)
        elif name not in table or table[name] != value:
            table[name] = value


def with_changes(config: RunConfig, changes: Iterable[str]) -> RunConfig:
    """`config` with dotted options replaced: `training.steps=400`.

    Raises:
        ConfigError: No such option, or a value that does not fit it.
    """
    for change in changes:
        try:
            change.encode()
        except UnicodeEncodeError as error:
            raise _no_text(error) from error
        name, equals, text = change.partition("=")
        name = name.strip()
        if not equals or name == "schema":
            raise _no_option(name)
        config = _with_change(config, name, text.strip())
    return config


def _with_change(config: RunConfig, name: str, text: str) -> RunConfig:
    *sections, option = name.split(".")
    first: msgspec.ValidationError | None = None
    for value in _readings(text):
        tree: dict[str, Any] = msgspec.to_builtins(config)
        place: Any = tree
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not isinstance(place, dict) or option not in place or isinstance(place[option], dict):
            raise _no_option(name)
        place[option] = value
        try:
            return msgspec.convert(tree, RunConfig)
        except msgspec.ValidationError as error:
            first = first or error
    words = str(first).partition(" - at ")[0]
    raise ConfigError(
        f"{name} cannot be {text[:80]!r}: {words}.", hint="Write it as training.steps=400."
    ) from first


def _no_option(name: str) -> ConfigError:
    return ConfigError(
        f"There is no option {name!r} to set.", hint="Write it as training.steps=400."
    )


def _readings(text: str) -> Iterator[object]:
    """What may be meant, the likeliest first: JSON, true or false, a whole number, text, a list."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError, ValueError):
        value = msgspec.json.decode(text)
        yield value
        if isinstance(value, float) and value.is_integer():
            yield int(value)
    if text.lower() in ("true", "false"):
        yield text.lower() == "true"
    yield text
    yield [text]
