#!/bin/bash
# SPDX-License-Identifier: MIT
# Each conversation over HTTP/2, joined at every packet and without any one packet: what is said then is said of the whole too.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!PERISCO_@}"

grep -l '^[^#]*: HEADERS' tests/pcaps/*.talk | while read -r talk; do
	"$B/pcap-make" "$talk" "$work/$(basename "$talk" .talk).pcap"
done
python3 tests/run/midjoin.py "$B/perisco" "$work"/*.pcap
