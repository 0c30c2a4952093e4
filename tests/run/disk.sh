#!/bin/bash
# SPDX-License-Identifier: MIT
# A disk that is full for a while: what a file misses is counted, others get all, no line is left half, and it goes on when there is room.
if [ "${1-}" != inside ]; then
	unshare -rm true 2>/dev/null || { echo "no mount namespaces here"; exit 77; }
	exec unshare -rm bash "$0" inside
fi
. tests/run/common
trap 'umount -l "$work/disk"; clean' EXIT
total=3000
mkfifo "$work/pipe"
disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=1m disk "$disk" || exit 1

{
	echo "conn 10.0.0.1:51234 -> 10.0.0.2:80"
	for ((i = 1; i <= total; i++)); do
		printf 'c| GET /%d HTTP/1.1\nc| Host: %s.com\nc|\n\ns| HTTP/1.1 %d x\ns| Content-Length: 0\ns|\n\n' $i \
			$RANDOM$RANDOM$RANDOM $((i % 2 ? 200 : 503))
	done
} >"$work/talk"
"$B/pcap-make" "$work/talk" "$work/all.pcap" || exit 1
half=$(($(stat -c %s "$work/all.pcap") / 2))

has_half() {
	[ "$(wc -l <"$work/others")" -ge $((total * 2 / 5)) ]
}

room() {
	mount -o "remount,size=$1" "$disk"
}

# begin ROOM WHAT OPTION...: half of it comes, the disk is full, and says of what. Descriptor 3 is the pipe, 4 what comes.
begin() {
	room "$1"
	tee "$work/others" "$work/err" </dev/null # what is read is of this run
	"$B/perisco" replay -q "${@:3}" -o "json:$work/others" - <"$work/pipe" 2>"$work/err" &
	pid=$!
	exec 3>"$work/pipe" 4<"$work/all.pcap"
	head -c $half <&4 >&3
	until_ 20 has_half || fail "others do not get their half"
	until_ 20 grep -q "cannot write to .*: No space left on device; its $2 are dropped" "$work/err" || fail "nothing is said"
}

size() {
	cat "$disk"/* | wc -c
}

grows() { # when some more comes
	head -c 1k <&4 >&3
	[ "$(size)" -gt "$full" ]
}

# resume WHAT: there is room, and what comes then is written as soon as that is tried again
resume() {
	room 8m
	full=$(size)
	until_ 20 grows || fail "$1: room alone is not enough"
}

# end WHAT: the rest comes
end() {
	local got
	cat <&4 >&3
	exec 3>&- 4<&-
	wait $pid
	got=$?
	expect "$1: the exit status" $got 7
	expect "$1: what others got" "$(wc -l <"$work/others")" $total
	grep -q ' is written again' "$work/err" || fail "$1: $(cat "$work/err")"
	dropped=$(grep -o '[0-9]* dropped because it could not be written' "$work/err" | cut -d' ' -f1)
}

# account WHAT PRODUCED FILE...: what is there and what is counted are all
account() {
	local lines
	case $3 in
	*.zst) zstd -tq "${@:3}" && zstd -dcq "${@:3}" >"$work/lines" || fail "$1: a frame is torn" ;;
	*) cat "${@:3}" >"$work/lines" ;;
	esac
	lines=$(wc -l <"$work/lines")
	if [ "${dropped:-0}" = 0 ] || [ $((lines + dropped)) != "$2" ] || [ "$lines" -lt $(($2 / 2)) ]; then
		fail "$1: $lines lines and ${dropped:-none} dropped, of $2"
	fi
	[ "$(grep -c '^{.*}$' "$work/lines")" = "$lines" ] || fail "$1: lines are torn"
	rm "${@:3}"
}

begin 192k records -o "json:$disk/x"
resume "a file"
end "a file"
account "a file" $total "$disk/x"

begin 24k records -o "json:$disk/x.zst" --workers 2
room 8m
kill -HUP $pid
end "a compressed file"
account "a compressed file" $total "$disk/x.zst"

begin 192k records -o "json:$disk/x?size=20k&keep=999&status=503"
room 8m
kill -HUP $pid
end "rotation"
account "rotation" $((total / 2)) "$disk"/x*

begin 24k records -o "json:$disk/x.zst?size=5k&keep=999"
room 8m
kill -HUP $pid
end "compressed rotation"
account "compressed rotation" $total "$disk"/x*.zst

# the file is removed, to make room, and its count is on the page
serve python3 tests/run/ports.py 1
begin 192k records -o "json:$disk/x" --metrics "$port"
url=http://127.0.0.1:$port/metrics
is_counted() {
	curl -s --max-time 10 "$url" | grep -q "^perisco_output_dropped_records_total{output=\"$disk/x\",cause=\"disk\"} [1-9]"
}
until_ 20 is_counted || fail "the page does not count it"
rm "$disk/x"
room 8m
kill -HUP $pid
until_ 20 test -e "$disk/x" || fail "removed, and not made again"
end "removed"
[ "$(wc -l <"$disk/x")" -ge $((total / 2 - 1)) ] || fail "removed, and lines are missing"
rm "$disk/x"

# packets, as long as there are records too: those that are missing are counted, on the page as well, and the file is whole
packets() {
	"$B/perisco" replay -o null "$@" 2>&1 | sed -n 's/^\([0-9]*\) packets.*, .* connection.*/\1/p'
}
all=$(packets "$work/all.pcap")
is_missed() {
	curl -s --max-time 10 "$url" | grep -q '^perisco_unwritten_packets_total [1-9]'
}
for name in x.pcap x.pcapng many.pcap many.pcapng; do
	case $name in many*) options=(-C 20k) ;; *) options=() ;; esac
	place=$name
	begin 192k packets -w "$disk/$name" "${options[@]}" --metrics $port
	until_ 20 is_missed || fail "the page does not count it"
	[ -s "$disk/${name}1" ] || [ "$(packets "$disk/$name")" -gt 0 ] || fail "is not whole while the disk is full"
	resume "a packet file"
	end "a packet file"
	expect "packets in it and not" $(($(packets "$disk/$name"*) + ${dropped:-0})) "$all"
	"$B/perisco" replay -o null "$disk/$name"* 2>"$work/told" || fail "is broken: $(cat "$work/told")"
	[ ${name#*.} = pcap ] || grep -q "lost: $dropped packets by whoever wrote the file" "$work/told" || fail "$(cat "$work/told")"
	rm "$disk/$name"*
done
place=

# it is full to the end: the summary tells the fate of all
room 192k
for name in x.pcap x.pcapng; do
	"$B/perisco" replay -w "$disk/$name" -o "json:$work/others" "$work/all.pcap" 2>"$work/err"
	expect "$name, full to the end: the exit status" $? 7
	sum=$(sed -n "s/.*$name': \([0-9]*\) packets, since it .* end, \([0-9]*\) did not get there/\1 \2/p" "$work/err")
	expect "$name, full to the end: how many in all" $((${sum/ / + })) "$all"
	expect "$name, full to the end: written" "$(packets "$disk/$name")" "${sum% *}"
	rm "$disk/$name"
done

# packets alone: that is the end
room 192k
"$B/perisco" replay -o null -w "$disk/x.pcap" "$work/all.pcap" 2>"$work/err"
expect "packets alone: the exit status" $? 7
expect "packets alone" "$(grep '^perisco: ' "$work/err")" "perisco: cannot write to '$disk/x.pcap': No space left on device"
expect "packets alone: how many" "$(packets "$disk/x.pcap")" "$(sed -n "s/.*x.pcap': \([0-9]*\) packets, since .*/\1/p" "$work/err")"
rm "$disk/x.pcap"

# behind what is there already, which stays
printf 'conn 10.0.0.1:51234 -> 10.0.0.2:80\n%s' $'c| GET / HTTP/1.1\nc|\n' | "$B/pcap-make" - "$work/one.pcap"
for to in append offset; do
	case $to in append) exec 4>>"$disk/x.pcapng" ;; offset) exec 4>"$disk/x.pcapng" ;; esac
	"$B/perisco" replay -q -w - "$work/one.pcap" >&4
	"$B/perisco" replay -w - "$work/all.pcap" >&4 2>"$work/err"
	expect "$to: the exit status" $? 7
	exec 4>&-
	"$B/perisco" replay -o null "$disk/x.pcapng" 2>"$work/told" || fail "$to: is broken: $(cat "$work/told")"
	sum=$(sed -n "s/^'-': \([0-9]*\) packets, since .*/\1/p" "$work/err")
	expect "$to: how many" "$(packets "$disk/x.pcapng")" $((sum + $(packets "$work/one.pcap")))
	rm "$disk/x.pcapng"
done

# neither is a use of the run when the other cannot be written either: whichever is the last ends it
"$B/perisco" replay -o "json:$disk/x" -w "$disk/x.pcap" "$work/all.pcap" 2>"$work/err"
expect "both full: the exit status" $? 7
expect "both full: what is waited for" "$(grep -c 'are dropped until that works again' "$work/err")" 1
read -r exchanges _ < <(grep ' exchanges, ' "$work/err")
[ "${exchanges:-$total}" -lt $total ] || fail "both full: the run goes on: $(cat "$work/err")"
room 8m
rm "$disk"/x*

# when the run ends because a reader has gone, what is not written is no less lost
"$B/perisco" replay -q -o json:- -o json:/dev/full "$work/all.pcap" 2>"$work/err" | true
expect "full, and nobody reads: the exit status" "${PIPESTATUS[0]}" 7
grep -q '[1-9][0-9]* dropped because it could not be written' "$work/err" || fail "full, and nobody reads: $(cat "$work/err")"
exit $status
