#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may include whom: base <- packet <- reassembly <- engine, base <- proto <- engine, and the edges know the core's words only.
set -eu

may() {
	case $1 in
	base) echo base ;;
	packet) echo base packet ;;
	reassembly) echo base packet chunk.h record.h proto/proto.h reassembly ;; # a flow holds its decoder
	proto) echo base packet chunk.h record.h proto ;;
	engine) echo base packet chunk.h record.h reassembly proto engine ;;
	workers) echo base packet record.h engine/engine.h workers ;;
	capture) echo base packet event.h opaque.h '*.skel.h' capture ;;
	identity) echo base packet identity ;;
	sink) echo base sink ;;
	output) echo base packet record.h sink output ;;
	metrics) echo base packet record.h capture/source.h sink/courier.h output metrics ;;
	cli) echo base packet record.h capture sink output metrics/address.h cli ;;
	*) echo none ;;
	esac
}

status=0
for file in src/*/*.[ch]; do
	room=${file#src/}
	room=${room%%/*}
	while read -r include; do
		allowed=no
		set -f
		for word in $(may "$room"); do
			# shellcheck disable=SC2254
			case $include in
			$word | "$word"/*) allowed=yes ;;
			esac
		done
		set +f
		if [ $allowed = no ]; then
			echo "$file includes $include"
			status=1
		fi
	done < <(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file")
done
exit $status
