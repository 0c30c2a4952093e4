#!/bin/bash
# SPDX-License-Identifier: MIT
# boot.sh DIRECTORY: boots the kernel that was unpacked there, with an initramfs of perisco, busybox and ip, and looks at
# what tests/compat/init says on the console.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where ip and tc are
kernel=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
version=$(basename "$kernel"/boot/vmlinuz-* | sed 's/vmlinuz-//')

# put FILE PATH: a program into the initramfs, with the libraries it needs
put() {
	local library
	install -D "$1" "$root$2"
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$root$library" ] || install -D "$library" "$root$library"
	done
}

initramfs() {
	local module
	mkdir -p "$root"/{proc,sys,dev,run,var/run,tmp,www,modules}
	put "$(command -v busybox)" /bin/busybox
	put "$(command -v dash)" /bin/sh
	put "$(command -v ip)" /bin/ip
	put "$(command -v tc)" /bin/tc
	put "$B/perisco" /bin/perisco
	install tests/compat/init "$root/init"
	install scripts/netns "$root/netns"
	for module in veth sch_ingress cls_bpf; do
		find "$kernel/lib/modules" -name "$module.ko*" -exec cp {} "$root/modules" \;
	done
	find "$root/modules" -name '*.xz' -exec unxz {} +
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initramfs"
}

boot() {
	timeout -k 5 280 qemu-system-x86_64 -machine accel=tcg -cpu max -m 1024 -nographic -no-reboot -nic none \
		-kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1" \
		</dev/null 2>&1 | tr -d '\r' >"$work/console"
}

fail() {
	echo "$*"
	cat "$work/console"
	exit 1
}

# said HOOK: what the console has of it
said() {
	sed -n "/^begin $1\$/,/^end $1 /p" "$work/console"
}

# The sizes of the bodies of the exchanges that are whole.
bodies() {
	grep '^{' "$work/said" | jq 'select(.l7 and .missing == null).l7.response.Record.Http.body_bytes' | xargs
}

captured() { # HOOK BY
	said "$1" >"$work/said"
	grep -q "^end $1 0\$" "$work/said" || fail "--hook $1 does not end well"
	[ "$(grep -c "attached to its way .* by $2\$" "$work/said")" = $ways ] || fail "--hook $1 is not $2"
	[ "$(bodies)" = "$wanted" ] || fail "--hook $1: not these exchanges"
	grep -q '^ .* left out' "$work/said" || fail "--hook $1: all of the large body was copied"
	grep -qx '0 lost' "$work/said" || fail "--hook $1: something was lost"
	! grep -q '^qdisc' "$work/said" || fail "--hook $1: a qdisc is left behind"
}

refused() { # HOOK WHY
	said "$1" >"$work/said"
	grep -q "^end $1 [1-9]" "$work/said" || fail "--hook $1 does not fail"
	grep -q "^perisco: .*$2" "$work/said" || fail "--hook $1 does not say: $2"
}

at_least() { # VERSION
	printf '%s\n' "$1" "$version" | sort -VC
}

initramfs
boot
grep -q '^begin' "$work/console" || fail "it does not boot"
ways=4 wanted="6 6 20000000"
! grep -qx 'with netkit' "$work/console" || ways=6 wanted="6 6 20000000 6"
if at_least 6.6; then
	captured auto tcx
	captured tcx tcx
	captured clsact tc
	captured xdp '\(xdp, generic.*\|tcx\)'
elif at_least 5.15; then
	captured auto tc
	refused tcx 'Linux 6.6'
	captured clsact tc
	if at_least 5.18; then
		captured xdp '\(xdp, generic\|tc\)'
	else
		captured xdp tc
	fi
else
	refused auto 'need Linux 5.15'
fi
