#!/bin/bash
# SPDX-License-Identifier: MIT
# The option table, the help text, the manual and the environment say the same.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
perisco=$B/perisco
man=doc/perisco.1

same() {
	diff -u --label "$1" --label "$2" "$work/$1" "$work/$2" || status=1
}
status=0

# "-n, --count COUNT", one line an option
{ "$perisco" help watch && "$perisco" help replay; } |
	sed -n 's/^ \{2,6\}\(-.*[^ ]\)  .*/\1/p' | sed 's/  *$//' | sort -u >"$work/help"
sed -n 's/^\.It Fl \(.\) , Fl -/-\1, --/p; s/^\.It Fl -/--/p' $man | sed 's/ Ar / /' | sort >"$work/manual"
same help manual

sed -n '/^const struct opt opts/,/^};/s/^\t{"\([^"]*\)".*/\1/p' src/cli/opt.c | sort >"$work/table"
sed 's/.*--\([^ ]*\).*/\1/' "$work/help" | sort >"$work/helped"
same table helped

# PERISCO_MIN_LATENCY for --min-latency, of all but two
grep -vxE 'help|version' "$work/table" | tr 'a-z-' 'A-Z_' | sed 's/^/PERISCO_/' | sort >"$work/derived"
"$perisco" help environment | sed -n 's/^  \(PERISCO_[A-Z_]*\) .*/\1/p' | sort >"$work/environment"
same derived environment
if grep -rn 'getenv' src | grep -v '^src/cli/'; then
	echo "the environment is for src/cli alone"
	status=1
fi

"$perisco" help | sed -n 's/^  \([0-9]\)  .*/\1/p' >"$work/exits"
sed -n '/^\.Sh EXIT STATUS/,/^\.Sh SEE/s/^\.It \([0-9]\)$/\1/p' $man >"$work/exits-manual"
same exits exits-manual

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning $man || status=1
fi
[ "$(wc -l <"$work/table")" -gt 15 ] || status=1
exit $status
