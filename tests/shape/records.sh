#!/bin/bash
# SPDX-License-Identifier: MIT
# doc/records.md names every member that JSON records have, every field that is hidden, and no other.
set -eu
cd "$(dirname "$0")/../.."

failed=0
complain() {
	echo "$*"
	failed=1
}

doc=$(tr 'A-Z' 'a-z' <doc/records.md)
members=$(grep -ohE '((KEY|NUMBER|WORD|FLAG|OPEN|TEXT)\([^"]*"|\\")[a-zA-Z0-9_]+\\?"' src/output/json*.c |
	grep -oE '[a-zA-Z0-9_]+\\?"$' | tr -d '\\"' | sort -u)
for member in $members; do
	grep -qiE "\b$member\b" <<<"$doc" || complain "doc/records.md does not know the member $member"
done

listed=$(sed -n '/^## secrets/,/^names are compared/p' <<<"$doc" | grep -oE '`[a-z0-9_-]+`' | tr -d '`' |
	grep -vE '^(redacted|-)' | sort -u)
hidden=$(sed -n '/^} secrets\[\]/,/^};/p' src/output/view.c | grep -oE '"[^"]+"' | tr -d '"' | sort -u)
diff <(echo "$hidden") <(echo "$listed") || complain "src/output/view.c (<) and doc/records.md (>) differ"
if [ "$(wc -w <<<"$members")" -lt 40 ] || [ "$(wc -w <<<"$hidden")" -lt 30 ]; then
	complain "the sources are not written as they were: this test sees nothing"
fi
exit $failed
