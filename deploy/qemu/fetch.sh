#!/usr/bin/env bash
# Fetches what boots a kernel with emulated network cards: QEMU, two kernels and busybox, of Debian 13.
#
#   deploy/qemu/fetch.sh            prints the folder that holds them; fetches only what is not there
#   deploy/qemu/fetch.sh --refresh  fetches anew: whatever versions Debian has today
#
#   zero-copy/   a kernel whose igb and virtio-net have AF_XDP zero copy (Linux 6.18 or later; backports)
#   copying/     one that refuses it (6.12, the kernel of Debian 13)
#   system/      QEMU (8 or later, for igb) with every library it needs: nothing is installed on this machine
#   busybox      all there is inside the emulated machine, but for modules and the sensor
#
# The folder is $RSTSCOPE_QEMU, else ${XDG_CACHE_HOME:-~/.cache}/rstscope/qemu: about 180 MiB that survive between
# runs. Needs no root, only Debian's apt, dpkg and keyring; apt verifies signatures and checksums.
# Exit code 4: the packages cannot be had here (another system, or no network).
set -euo pipefail

release=trixie
# What the drivers need besides what is built in; looked up with all that they depend on.
modules=(igb virtio_net virtio_pci)
# Raised when the layout changes, so that an older folder is not taken for a whole one.
layout=1
folder=${RSTSCOPE_QEMU:-${XDG_CACHE_HOME:-$HOME/.cache}/rstscope/qemu}

cannot() {
    echo "fetch: $1" >&2
    exit 4
}

apt() { # program arguments...
    local program=$1
    shift
    "$program" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Acquire::Retries=2 -o APT::Sandbox::User= -o APT::Architecture=amd64 -o APT::Architectures=amd64 "$@"
}

prepare_apt() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || cannot "needs apt-get and dpkg-deb of Debian"
    [ -r "$keyring" ] || cannot "needs $keyring (package debian-archive-keyring)"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
    # As if nothing were installed: libraries of another release would not fit.
    : >"$work/status"
    for suite in $release $release-backports; do
        echo "deb [signed-by=$keyring] http://deb.debian.org/debian $suite main"
    done >"$work/sources.list"
    apt apt-get update -qq || cannot "deb.debian.org cannot be reached, or its signatures do not verify"
}

fetch_qemu() {
    apt apt-get install -qq --yes --download-only --no-install-recommends \
        qemu-system-x86 busybox-static >/dev/null || cannot "QEMU cannot be downloaded"
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb --extract "$package" "$new/system"
    done
    # Where the merged /usr of a running system has links, an extracted one may have folders.
    cp "$new/system/usr/bin/busybox" "$new/busybox"
    rm -rf "$work"/cache/archives/*.deb "$new"/system/usr/share/{doc,man,locale,icons}
}

fetch_kernel() { # name, suite
    local name=$1 suite=$2 package version image
    # linux-image-amd64 names the newest: "linux-image-7.3.4+deb13-amd64".
    version=$(apt apt-cache depends -t="$suite" linux-image-amd64 |
        sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | head -1)
    [ -n "$version" ] || cannot "no kernel in $suite"
    mkdir -p "$work/$name" "$new/$name/modules"
    # From Linux 7 on the image is in linux-binary-* and its modules are in linux-modules-*.
    for package in "linux-image-$version" "linux-binary-$version" "linux-modules-$version"; do
        apt apt-cache show -qq "$package" >/dev/null 2>&1 || continue
        (cd "$work/debs" && apt apt-get download -qq "$package") || cannot "$package cannot be downloaded"
        dpkg-deb --extract "$work/debs/$package"_*.deb "$work/$name"
        rm "$work/debs/$package"_*.deb
    done
    # Beneath /boot, or beneath its modules from Linux 7 on.
    image=$(find "$work/$name" -name 'vmlinuz*' -type f | head -1)
    [ -n "$image" ] || cannot "no kernel image in the packages of $version"
    cp "$image" "$new/$name/vmlinuz"
    echo "$version" >"$new/$name/version"
    take_modules "$(find "$work/$name" -type d -path '*/modules/*/kernel' | head -1)" "$new/$name/modules"
    rm -rf "${work:?}/$name"
}

# Copies the modules that are wanted and those they need, unpacked, numbered in the order of loading.
take_modules() { # from, to
    local from=$1 to=$2 number=10 module file
    # Dependencies by name, since modules.dep is made only where a kernel is installed.
    declare -A taken=()
    take() {
        file=$(find "$from" -name "${1//_/[-_]}.ko*" | head -1)
        if [ -z "$file" ] || [ -n "${taken[$1]:-}" ]; then return 0; fi
        taken[$1]=yes
        local unpacked="$work/$1.ko" needed
        case "$file" in
        *.xz) "$new/busybox" xz -dc "$file" >"$unpacked" ;;
        *.ko) cp "$file" "$unpacked" ;;
        *) cannot "$file: packed in an unknown way" ;;
        esac
        # A module says "depends=one,two" in its .modinfo section.
        for needed in $(tr '\0' '\n' <"$unpacked" | sed -n 's/^depends=//p' | tr ',' ' '); do
            take "${needed//-/_}"
        done
        mv "$unpacked" "$to/$number-$1.ko"
        number=$((number + 1))
    }
    for module in "${modules[@]}"; do take "$module"; done
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# Two at a time would tread on each other; who waited finds everything done.
exec 9>"$folder/lock"
flock 9
if [ "${1:-}" != --refresh ] && [ "$(cat "$folder/complete" 2>/dev/null)" = "$layout" ]; then
    echo "$folder"
    exit 0
fi
rm -rf "$folder/complete" "$folder"/{zero-copy,copying,system,busybox,new}
new="$folder/new"
mkdir -p "$new/system"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetch: QEMU and two kernels of Debian into $folder" >&2
prepare_apt
fetch_qemu
fetch_kernel zero-copy $release-backports
fetch_kernel copying $release
mv "$new"/* "$folder"
rmdir "$new"
echo "$layout" >"$folder/complete"
echo "$folder"
