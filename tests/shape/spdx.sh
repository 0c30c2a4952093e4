#!/bin/bash
# SPDX-License-Identifier: MIT
# Each source file says its licence in its first lines; only what runs in the kernel is under the GPL.
set -eu

status=0
while read -r file; do
	licence=$(sed -n '1,3s/.*SPDX-License-Identifier: *\([^*]*[^ *]\).*/\1/p' "$file")
	case $file:$licence in
	bpf/*:GPL-2.0 | bpf/*:"GPL-2.0 OR MIT") ;;
	bpf/*) echo "$file: '$licence' is not for the kernel" && status=1 ;;
	*:MIT) ;;
	*) echo "$file: '$licence' instead of MIT" && status=1 ;;
	esac
done < <(find .ci Makefile bpf doc scripts src tests tools -type f \
	! -path 'tests/fuzz/corpus/*' ! -path 'tests/pcaps/*' ! -name '*.tsv' ! -name '*.md' ! -name '*.pyc')
exit $status
