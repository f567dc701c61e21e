#!/usr/bin/env bash
# On a bare Debian 12: install the .deb, open the window as a normal user, train 3 steps, remove it without a trace.
# usage (root): tests/installer/test_deb.sh FILE.deb
set -eu
deb=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
root=$work/root
clean() {
    for place in proc dev/pts dev; do umount "$root/$place" 2>/dev/null || true; done
    case $work in /tmp/*) rm -rf --one-file-system "$work" ;; esac
}
trap clean EXIT

# the mirror and its keys are those of this machine
mirror=$(apt-cache policy | grep -oE 'https?://[^ ]+' | grep -v security | head -n 1)
debootstrap --variant=minbase bookworm "$root" "$mirror" > "$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
cp -r /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_person() { chroot --userspec=person "$root" env -i PATH=/usr/bin:/bin HOME=/home/person LANG=C.UTF-8 "$@"; }
inside apt-get update -q > /dev/null
inside useradd -m person
inside apt-get install -y -q --no-install-recommends xvfb xdotool > "$work/tools.log" 2>&1
find "$root" -xdev -not -path "$root/proc/*" -not -path "$root/dev/*" | sort > "$work/before"

cp "$deb" "$root/tmp/stylewright.deb"
inside apt-get install -y -q --no-install-recommends /tmp/stylewright.deb > "$work/install.log" 2>&1 || { tail "$work/install.log"; exit 1; }
rm "$root/tmp/stylewright.deb"
echo "installed: $(du -sm "$root/opt/stylewright" | cut -f1) MB"

inside chmod 1777 /tmp
as_person sh -c 'cd; Xvfb :97 -screen 0 1280x800x24 -nolisten tcp >/dev/null 2>&1 & screen=$!
    sleep 2; DISPLAY=:97 stylewright > window.log 2>&1 & window=$!
    DISPLAY=:97 timeout 60 xdotool search --sync --onlyvisible --name "^Stylewright$" > found.txt; kill $window $screen; cat window.log; test -s found.txt'
echo "window: opened as a normal user"

as_person sh -c 'cd; stylewright demo keep --steps 3 && ls keep/runs/*/adapters/*.safetensors'
echo "demo: trained 3 steps"

inside apt-get purge -y -q stylewright > /dev/null
inside apt-get autoremove -y -q --purge > /dev/null
left=$(find "$root" -xdev -path '*stylewright*' -not -path "$root/home/*" -not -path "$root/var/*" | head)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
[ ! -e "$root/opt/stylewright" ] && [ -d "$root/home/person/keep" ]
echo "removed: nothing is left but the person's own files"
