#!/bin/bash
# SPDX-License-Identifier: MIT
# However many workers there are, the same records are made: of each conversation alone, of all of them at once, and of many
# connections on two sides of an address translation.
. tests/run/common
. scripts/talk

replay() {
	timeout -s KILL 60 "$B/perisco" replay --flows "$@"
}

# the summary, what is in one line there in any order
counts() {
	grep -v '^perisco: ' "$work/said" | sed 's/^not decoded: //; s/, /\n/g' | sort
}

# same NAME OPTION...: the records of one worker, in any order, and the counts
same() {
	local name=$1
	shift
	replay -v -o json "$@" 2>"$work/said" | sort >"$work/one"
	counts >"$work/counts"
	for n in 2 3 8; do
		replay -v -o json --workers $n "$@" 2>"$work/said" | sort | cmp -s "$work/one" - || fail "$name: other records of $n workers"
		counts | cmp -s "$work/counts" - || fail "$name: other counts of $n workers"
	done
}

captures=()
for talk in tests/pcaps/*.talk; do
	name=$(basename "$talk" .talk)
	talk_make "$name"
	captures+=("$capture")
	same "$name" "${options[@]}" "$capture"
done
same 'all of them' "${captures[@]}"
talk_make ip-fragments
same 'fragments, in little memory' --memory 16M "$capture"

# A service's address here, a pod's there: the same segments between other ends. In the second round the ports there are used again,
# for others than in the first.
python3 - >"$work/translated.talk" <<'END'
def both(here, there):
    print(f"iface veth1 5 c\n{here}\niface veth2 6 s\n{there}")

for round in range(2):
    for i in range(60):
        isn = f"isn={(1 + i + 100 * round) * 1000003},{i * 70001 + round}"
        here, there = f"a{round}-{i}", f"b{round}-{i}"
        both(f"conn {here} 10.0.0.1:{20000 + i} -> 10.96.0.1:80 {isn}",
             f"conn {there} 10.0.0.9:{30000 + (i * 7 + round) % 60} -> 10.0.0.2:8080 {isn}")
        both(f"{here}.c| GET /{round}/{i} HTTP/1.1\n{here}.c|\n", f"{there}.c| GET /{round}/{i} HTTP/1.1\n{there}.c|\n")
        answer = "s| HTTP/1.1 200 OK", "s| Content-Length: 0", "s|", ""
        both(*("\n".join(line and f"{view}.{line}" for line in answer) for view in (here, there)))
        both(*(f"on {view}\nfin c\nfin s" for view in (here, there)))
END
"$B/pcap-make" "$work/translated.talk" "$work/translated.pcapng" || fail "no capture of an address translation"
same 'address translation' "$work/translated.pcapng"
replay -q -o json "$work/translated.pcapng" >"$work/records"
[ "$(grep -c '"url":"/[01]/[0-9]*"' "$work/records")" = 120 ] || fail "120 translated exchanges are $(wc -l <"$work/records") records"

# so many and no more; what is selected is in what is written; too little memory is said
[ "$(replay -q -n 7 -o json --workers 4 "$work/translated.pcapng" | grep -c '"url"')" = 7 ] || fail "seven exchanges are not seven"
for n in 1 4; do
	replay -q -o null --workers $n --path '/0/*' -w "$work/some$n.pcapng" "$work/translated.pcapng"
	replay -q -o json "$work/some$n.pcapng" | grep '"url"' | sort >"$work/some$n"
done
[ "$(wc -l <"$work/some4")" = 60 ] && cmp -s "$work/some1" "$work/some4" || fail "-w with workers writes other packets"
for n in 1 4; do
	replay -q -o text --workers $n -w "$work/all$n.pcap" "$work/some4.pcapng" | tr -s ' ' | sort >"$work/text$n"
done
cmp -s "$work/all1.pcap" "$work/all4.pcap" || fail "-w without selection writes other packets with workers"
cmp -s "$work/text1" "$work/text4" || fail "other lines of text with workers"
"$B/perisco" replay --workers 8 --memory 8M "$work/translated.pcapng" 2>"$work/said"
[ $? = 2 ] && grep -q '^perisco: --workers: .*2M' "$work/said" || fail "too little memory: $(cat "$work/said")"
exit $status
