# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# SeaBIOS and OVMF start what lies on the namespace.

# A boot sector: reads the second sector with the firmware's help, sends the text in it to the serial port, powers off.
boot_sector() {
  {
    printf '\061\300\216\330\216\300'             # xor ax,ax; mov ds,ax; mov es,ax
    printf '\270\001\002\271\002\000\266\000'     # mov ax,0201h; mov cx,2; mov dh,0 (dl is the drive)
    printf '\273\000\176\315\023\162\016'         # mov bx,7e00h; int 13h; jc off
    printf '\276\000\176'                         # mov si,7e00h
    printf '\254\204\300\164\006'                 # next: lodsb; test al,al; jz off
    printf '\272\370\003\356\353\365'             # mov dx,3f8h; out dx,al; jmp next
    printf '\272\004\006\270\000\040\357\364'     # off: mov dx,604h; mov ax,2000h; out dx,ax; hlt
  } >sector
  truncate -s 510 sector
  printf '\125\252hostlab: the boot sector speaks\r\n' >>sector
}

# A FAT file system with systemd-boot, the kernel, and an initramfs that speaks and powers off.
boot_partition() {
  mkdir -p overlay
  cat >overlay/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox echo 'hostlab: the kernel from the namespace speaks' >/dev/ttyS0
/bin/busybox poweroff -f
INIT
  chmod +x overlay/init
  {
    cat "$unpacked/initramfs"
    (cd overlay && find . | tool cpio -o -H newc --quiet --owner 0:0)
  } >initrd
  printf 'timeout 0\ndefault hostlab.conf\n' >loader.conf
  printf '%s\n' 'title hostlab' 'linux /vmlinuz' 'initrd /initrd' 'options console=ttyS0 loglevel=5 panic=-1' >hostlab.conf
  truncate -s 64M esp
  tool mkfs.fat -F 32 -n ESP esp
  tool mmd -i esp ::/EFI ::/EFI/BOOT ::/loader ::/loader/entries
  tool mcopy -i esp "$HOSTLAB_ROOT/usr/lib/systemd/boot/efi/systemd-bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
  tool mcopy -i esp "$(kernel_image)" ::/vmlinuz
  tool mcopy -i esp initrd ::/initrd
  tool mcopy -i esp loader.conf ::/loader/loader.conf
  tool mcopy -i esp hostlab.conf ::/loader/entries/hostlab.conf
}

# from_firmware NAME MARKER IMAGE ARGUMENT…: serves the image and starts a machine without a kernel.
from_firmware() {
  name=$1 marker=$2 image=$3
  shift 3
  # A boot sector wants blocks of 512 bytes: a loop device has them, a file 4096.
  profile disk.json "\"disk\": { \"loopDevice\": { \"path\": \"$work/backing.img\", \"sizeMiB\": 384, \"blockSize\": 512 } }" \
    '{ "id": 1, "backing": "disk" }'
  dd if="$image" of=backing.img conv=notrunc 2>/dev/null
  # shellcheck disable=SC2046 # a list of words
  serve disk.json $(behaviour_options "$behaviour") || return
  boots=$((${boots:-0} + 1))
  console=$output/$suite.$boots.console
  status=0
  (watch_qemu "$console" -- -machine q35,accel=tcg,vmport=off,memory-backend=m -object memory-backend-memfd,id=m,size=512M,share=on -m 512 \
    -cpu max -serial "file:$console" -no-reboot "$@" -device "$(echo "$device" | sed 's/}$/,"bootindex":0}/')" \
    </dev/null >qemu.err 2>&1) &
  machine=$!
  wait "$machine" || status=$?
  machine=
  if grep -q -a "$marker" "$console"; then
    pass "$behaviour: $name starts what lies on the namespace"
  else
    fail "$behaviour: $name starts what lies on the namespace"
    diag_file qemu qemu.err
    tail -n 30 "$console" | tr -d '\r\033' >console.tail
    diag_file console console.tail
  fi
  equal "$behaviour: $name: the machine powered off" 0 "$status"
  served "$behaviour, $name"
}

boot_sector
boot_partition >mtools.out 2>&1 || diag_file mtools mtools.out
cp "$HOSTLAB_ROOT/usr/share/OVMF/OVMF_VARS_4M.fd" variables.fd
for behaviour in $behaviours; do
  from_firmware SeaBIOS 'hostlab: the boot sector speaks' sector
  from_firmware OVMF 'hostlab: the kernel from the namespace speaks' esp \
    -drive "if=pflash,unit=0,format=raw,readonly=on,file=$HOSTLAB_ROOT/usr/share/OVMF/OVMF_CODE_4M.fd" \
    -drive if=pflash,unit=1,format=raw,file=variables.fd
done
