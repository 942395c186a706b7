#!/bin/sh
# Builds each NAME.bpf.o from NAME.bpf.c, bit for bit the same everywhere.
#
#   ./build.sh            rebuild the objects in place
#   ./build.sh --check    rebuild elsewhere and compare with the objects that are checked in
#   ./build.sh --install  install the compiler first (Debian 12: apt-get), then as above
#
# Only clang 14 gives the same bytes: objects are compared, so the compiler is named.
# CLANG and LLVM_STRIP override the programs for experiments.
set -eu
cd "$(dirname "$0")"

check=no
for argument in "$@"; do
    case "$argument" in
    --check) check=yes ;;
    --install) apt-get install -y --no-install-recommends clang-14 llvm-14 ;;
    *) echo "build.sh: unknown argument $argument (known: --check, --install)" >&2; exit 2 ;;
    esac
done

clang=${CLANG:-clang-14}
strip=${LLVM_STRIP:-llvm-strip-14}
for program in "$clang" "$strip"; do
    if ! command -v "$program" >/dev/null; then
        echo "build.sh: $program not found; run $0 --install (Debian 12) or set CLANG, LLVM_STRIP" >&2
        exit 3
    fi
done

output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
for source in *.bpf.c; do
    object=${source%.c}.o
    # -g gives the BTF that the maps are declared in; the strip takes the DWARF away and leaves it.
    "$clang" -O2 -g -target bpf -mcpu=v3 -fdebug-compilation-dir=. -Wall -Wextra -Werror \
        -Wno-unused-variable -c "$source" -o "$output/$object"
    "$strip" -g "$output/$object"

    if [ "$check" = no ]; then
        # 0644 whatever the umask: the object is checked in.
        install -m 0644 "$output/$object" "$object"
        ls -l "$object"
    elif cmp "$output/$object" "$object"; then
        echo "$object is what $source builds to"
    else
        echo "build.sh: $object differs from a fresh build; run $0 and commit it" >&2
        exit 1
    fi
done
