#!/usr/bin/env bash
# Build stylewright_VERSION_ARCH.deb with everything in it (CPU torch): packaging/build_deb.sh [OUT]
# Needs what `python3 start.py` has set up, and dpkg-deb. About 4 minutes and 2 GB of disk.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
python=.venv/bin/python
version=$($python -c 'from core.version import VERSION; print(VERSION)')
arch=$(dpkg --print-architecture)
tree=build/deb

$python -m pip install --quiet --disable-pip-version-check pyinstaller==6.16.0
$python -m PyInstaller --noconfirm --log-level WARN --workpath build/work --distpath build/dist packaging/stylewright.spec

rm -rf "$tree"
mkdir -p "$tree/opt" "$tree/usr/bin" "$tree/usr/share/applications" \
    "$tree/usr/share/icons/hicolor/scalable/apps" "$tree/usr/share/doc/stylewright" "$tree/DEBIAN" "$out"
mv build/dist/stylewright "$tree/opt/stylewright"
ln -s /opt/stylewright/stylewright "$tree/usr/bin/stylewright"
cp packaging/stylewright.desktop "$tree/usr/share/applications/"
cp packaging/stylewright.svg "$tree/usr/share/icons/hicolor/scalable/apps/"
cp LICENSE "$tree/usr/share/doc/stylewright/copyright"
cat > "$tree/DEBIAN/control" <<CONTROL
Package: stylewright
Version: $version
Architecture: $arch
Maintainer: The Stylewright authors <stylewright@localhost>
Section: graphics
Priority: optional
Installed-Size: $(du -sk "$tree" | cut -f1)
Depends: libgl1, libegl1, libxkbcommon0, libfontconfig1, libglib2.0-0 | libglib2.0-0t64, libdbus-1-3, libxcb-cursor0, libxcb-icccm4, libxcb-keysyms1, libxcb-shape0, libxkbcommon-x11-0
Description: Teach an image model an art style on your own machine
 Drop pictures in, caption them, train, and keep an adapter (LoRA) that ComfyUI,
 Forge, A1111 and diffusers read. With its own small base model to try it out.
CONTROL
chmod -R u+rwX,go+rX "$tree"
dpkg-deb --root-owner-group -Zzstd -z12 --build "$tree" "$out/stylewright_${version}_${arch}.deb"
rm -rf "$tree"
