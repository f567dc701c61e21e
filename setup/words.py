"""What a person reads when the set-up cannot go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from setup.places import NEXT, ROOT

WITHOUT_GPU = "STYLEWRIGHT_CPU"  # set to 1 it chooses the build of torch without a GPU

# What installers say, and what it means; the most telling comes first, since what a proxy refuses
# or a certificate spoils reads as "Max retries exceeded" too.
MEANINGS = (
    (
        ("No space left", "Errno 28", "os error 28", "WinError 112]", "Disk quota exceeded"),
        "{full}\nFree some space {again}",
    ),
    (
        (
            "ProxyError",
            "Cannot connect to proxy",
            "Tunnel connection failed",
            "407 Proxy Authentication",
            "tunnel error",
        ),
        "The proxy{proxy} does not let the packages through.\n"
        "Set HTTPS_PROXY to one that does, or unset it, {again}",
    ),
    (
        (
            "CERTIFICATE_VERIFY_FAILED",
            "certificate verify failed",
            "SSLError",
            "invalid peer certificate",
            "UnknownIssuer",
            "TLS CA certificate bundle",
        ),
        "The package index shows a certificate that is not trusted here, as behind a company's "
        "firewall.\nSet PIP_CERT and SSL_CERT_FILE to the company's certificate file (and look at "
        "this computer's date), {again}",
    ),
    (
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "getaddrinfo failed",
            "nodename nor servname",
            "NewConnectionError",
            "Network is unreachable",
            "No route to host",
            "Connection refused",
            "Could not connect",
            "dns error",
            "error sending request",
            "ConnectTimeout",
            "Read timed out",
            "Max retries exceeded",
        ),
        "{step}: there is no connection to where it comes from.\n"
        "Connect to the internet, or ask who runs the firewall, {again}",
    ),
    (
        ("DO NOT MATCH THE HASHES", "Hash mismatch"),
        "A package is not the one that was tested: its hash is another.\n"
        "It came damaged, or an index or a cache serves something else. Run start.py again; if it "
        "stays, report it:\n{tail}",
    ),
    (
        ("Permission denied", "Errno 13", "os error 13", "Errno 30", "os error 30", "WinError 5]"),
        "Something may not be written to:\n{tail}\nIf it is in {root}, move that folder into your "
        "home folder; if not, make it your own, {again}",
    ),
    (
        ("No matching distribution found", "No solution found", "has no wheels"),
        "{step}: there is no build of it for this computer.\nTo train without a GPU set "
        "{without_gpu}=1 and run start.py again; else report this:\n{tail}",
    ),
    (("",), "{step} did not work:\n{tail}\nDelete {next} and run start.py again."),
)


class SetupError(Exception):
    """One clear sentence, and the line that mends it."""


def explain(step: str, output: str) -> str:
    """What an installer's last words mean."""
    meaning = next(words for signs, words in MEANINGS if any(sign in output for sign in signs))
    return meaning.format(
        step=step,
        root=ROOT,
        next=NEXT,
        tail=last_lines(output),
        full=full_disk(),
        proxy=proxy(),
        without_gpu=WITHOUT_GPU,
        again="and run start.py again: it goes on from here.",
    )


def last_lines(output: str, count: int = 8) -> str:
    """The end of what a program said."""
    return "\n".join(output.strip().splitlines()[-count:])


def full_disk() -> str:
    """Which disk it is: packages lie and are unpacked here, what was fetched in the home folder."""
    place = min((place for place in (ROOT, Path.home()) if place.exists()), key=free_mb)
    return f"The disk of {place} is full: {free_mb(place):,} MB are free."


def free_mb(folder: Path) -> int:
    """Free space in MiB."""
    return shutil.disk_usage(folder).free // 2**20


def proxy() -> str:
    """The proxy in use, without the password that may stand in it."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        if address := os.environ.get(name):
            return f" {address.rpartition('@')[2]} ({name})"
    return ""
