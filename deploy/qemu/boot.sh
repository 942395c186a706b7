#!/usr/bin/env bash
# Boots a kernel with one emulated network card, eth0, and runs a job there. No KVM, no root, no tap device.
#
#   deploy/qemu/boot.sh KERNEL CARD JOB [QEMU ARGUMENT...]
#
#   KERNEL   zero-copy | copying, as deploy/qemu/fetch.sh has them
#   CARD     igb | virtio
#   JOB      a folder that becomes /job inside; its executable `run` is run by busybox's shell, then the machine
#            switches itself off. Programs in it must be static
#   further  what the card is wired to (`-netdev ...,id=frames`; without it: to nothing) and where serial ports lead;
#            the first one is the console (without any: this terminal)
#
#   $CPUS    its processors, 1 unless said; igb has a queue for each          $MEMORY_MIB   1536 unless said
#
# The process becomes QEMU itself, and dies with who started it: no machine is left behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 3 ]; then
    sed -n '2,15s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
kernel=$1 card=$2 job=$(cd "$3" && pwd)
shift 3
folder=$("$here/fetch.sh")

# The root file system: busybox, the modules of the kernel and the job, in memory.
root=$(mktemp -d)
mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules}
cp "$folder/busybox" "$root/bin/busybox"
cp "$folder/$kernel"/modules/*.ko "$root/modules/"
cp "$here/init" "$root/init"
cp -r "$job" "$root/job"
chmod -R a+rX "$root"
image=$(mktemp)
(cd "$root" && find . | "$folder/busybox" cpio -o -H newc 2>/dev/null) >"$image"
rm -rf "$root"
# QEMU opens the image by this descriptor, so that no file is left whoever ends how.
exec 8<"$image"
rm "$image"

case "$card" in
igb) device="igb,bus=root0" ;;
# Zero copy wants the device to use the platform's DMA addresses.
virtio) device="virtio-net-pci,bus=root0,disable-legacy=on,iommu_platform=on,romfile=" ;;
*)
    echo "boot: unknown card $card (igb, virtio)" >&2
    exit 2
    ;;
esac
case " $* " in *,id=frames,*) device+=",netdev=frames" ;; esac
case " $* " in *" -serial "*) ;; *) set -- "$@" -serial stdio ;; esac

system="$folder/system/usr"
export QEMU_MODULE_DIR="$system/lib/x86_64-linux-gnu/qemu"
exec setpriv --pdeathsig KILL "$system/lib64/ld-linux-x86-64.so.2" --library-path "$system/lib/x86_64-linux-gnu" \
    "$system/bin/qemu-system-x86_64" -L "$system/share/qemu" -L "$system/share/seabios" \
    -machine q35 -accel tcg,thread=multi -cpu max -smp "${CPUS:-1}" -m "${MEMORY_MIB:-1536}" \
    -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$folder/$kernel/vmlinuz" -initrd /dev/fd/8 \
    -append "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off" \
    -device pcie-root-port,id=root0 -device "$device" "$@"
