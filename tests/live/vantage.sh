#!/bin/bash
# SPDX-License-Identifier: MIT
# Which of the points that show a connection counts: without address translation, and with it.
. tests/live/common perisco-van routed
serve
ip netns exec "$host" sysctl -qw net.ipv4.ip_forward=1
ip netns exec "$host" nft -f - <<-END || skip "no nft here"
	table ip service {
		chain to { type nat hook prerouting priority -100; ip daddr 10.96.0.1 dnat to 10.77.2.2; }
	}
END

# Where each exchange was seen, and under which address of the server.
seen() {
	jq -r 'select(.l7) | [.iface.name, .iface.vantage, .ip.server] | join(" ")' "$work/out" | sort
}

for hook in $(hooks) $(xdp); do
	for vantage in first client server both; do
		watch --hook "$hook" --vantage "$vantage"
		get http://10.77.2.2/hello; get http://10.77.2.2/hello
		get http://10.96.0.1/hello
		watched
		case $vantage in
		first | client) wanted="$host-a both 10.77.2.2|$host-a both 10.77.2.2|$host-a both 10.96.0.1|" ;;
		server) wanted="$host-b both 10.77.2.2|$host-b both 10.77.2.2|$host-b both 10.77.2.2|" ;;
		both)
			wanted="$host-a client 10.77.2.2|$host-a client 10.77.2.2|$host-a client 10.96.0.1|"
			wanted="$wanted$host-b server 10.77.2.2|$host-b server 10.77.2.2|$host-b server 10.77.2.2|"
			;;
		esac
		expect "$hook, $vantage" "$(seen | tr '\n' '|')" "$wanted"
		grep -qx '0 lost' "$work/err" || fail "$hook, $vantage: something was lost"
	done
done

# The snapshot length cuts the packets that are written, and their length on the wire is said.
watch -s 96 -w "$work/cut.pcap" -o null
get http://10.77.2.2/hello
watched
expect "the largest packet" "$(tshark -r "$work/cut.pcap" -T fields -e frame.cap_len 2>/dev/null | sort -n | tail -1)" 96
[ "$(tshark -r "$work/cut.pcap" -T fields -e frame.len 2>/dev/null | sort -n | tail -1)" -gt 200 ] || fail "lengths on the wire are cut too"
pass
