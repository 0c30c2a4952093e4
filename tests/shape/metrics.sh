#!/bin/bash
# SPDX-License-Identifier: MIT
# doc/metrics.md has the list that the program has, and what it says beside it names no other metric.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

"$B/perisco" help metrics >"$work/list"
[ "$(wc -l <"$work/list")" -gt 80 ] || { echo "no list" && exit 1; }
sed -n '/^| metric /,$p' doc/metrics.md | diff -u --label doc/metrics.md - --label 'perisco help metrics' "$work/list" ||
	{ echo "make metrics-doc puts it right" && status=1; }

sed 's/^| \([a-z_]*\) | .*/\1/' "$work/list" | sort >"$work/names"
sed '/^| metric /,$d' doc/metrics.md | grep -oE '\b(perisco|process)_[a-z_]*' | sed 's/_\(bucket\|sum\|count\)$//' | sort -u |
	comm -23 - "$work/names" | sed 's/$/: not in the list/' | { ! grep .; } || status=1
exit $status
