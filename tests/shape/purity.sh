#!/bin/bash
# SPDX-License-Identifier: MIT
# The core calls nothing that opens, reads, writes, logs or asks the time, and has no variables that outlive a call.
set -eu
if nm "$B/libcore.a" | grep -q ' U __asan_init'; then
	echo "built with sanitizers, which call what they like"
	exit 77
fi
# objects that are code already, and do not wait for the linker to make them so
core=$B/plain/libcore.a
env -u MAKEFLAGS -u MAKELEVEL make -s CFLAGS=-O2 B="$B/plain" "$core"

# llhttp is in the archive, but not ours to judge; of nghttp2 only HPACK is used, with memory from the pool; the tables of http1 are made before main begins, and only read from then on
status=0
may='llhttp_.*|nghttp2_hd_inflate_.*|mem(cmp|cpy|move|set|chr|rchr|mem)|str(len|cmp|casecmp|ncmp|chr)|(aligned_|c|re|m)alloc|free|abort|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_'
calls=$(comm -23 \
	<(nm -u "$core" | awk '/:$/ {theirs = /^(api|http|llhttp)\.o:/} $1 == "U" && !theirs {print $2}' | sort -u) \
	<(nm --defined-only "$core" | awk 'NF == 3 {print $3}' | sort -u) |
	grep -vxE "$may" || true)
variables=$(size -A "$core" | awk '/:$/ {member = $1}
	$1 ~ /^\.t?(data|bss)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 && member !~ /^(api|http|llhttp|http1.*)\.o/ {
		print member, $1, $2, "bytes"
	}')
if [ -n "$calls" ]; then
	echo "the core calls: $calls"
	status=1
fi
if [ -n "$variables" ]; then
	echo "the core has variables: $variables"
	status=1
fi
exit $status
