#!/bin/bash
# SPDX-License-Identifier: MIT
# Records on their way to Elasticsearch behind TLS and a lock: nginx stands before the tests' bulk server.
. tests/run/common
command -v openssl nginx >/dev/null || { echo "needs openssl and nginx"; exit 77; }

authority() { # NAME: NAME.pem, and NAME.server.pem with its key for 127.0.0.1
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem" &&
		openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout "$work/$1.server.key" -out "$work/$1.csr" &&
		openssl x509 -req -in "$work/$1.csr" -CA "$work/$1.pem" -CAkey "$work/$1.key" -CAcreateserial -days 2 \
			-extfile <(echo subjectAltName=IP:127.0.0.1) -out "$work/$1.server.pem"
} 2>/dev/null
authority ours && authority theirs || { echo "openssl makes no certificates"; exit 1; }

serve python3 tests/run/bulk_server.py
backend=$port

lock() { # PORT CONDITION
	printf 'server { listen 127.0.0.1:%s ssl; ssl_certificate %s; ssl_certificate_key %s; client_max_body_size 0;
		location / { if ($http_authorization != "%s") { return 401; } proxy_pass http://127.0.0.1:%s; } }\n' \
		"$1" "$work/ours.server.pem" "$work/ours.server.key" "$2" "$backend"
}
serve python3 tests/run/ports.py 4
read -r basic key bearer nobody <<<"$port"
{
	echo "daemon off; worker_processes 1; pid $work/pid; error_log $work/log; events {}"
	echo "http { access_log off; client_body_temp_path $work/body; proxy_temp_path $work/temp; fastcgi_temp_path $work/f;"
	echo "uwsgi_temp_path $work/u; scgi_temp_path $work/s;"
	lock "$basic" "Basic $(printf 'elastic:s3 cr@t' | base64)"
	lock "$key" "ApiKey a2V5"
	lock "$bearer" "Bearer t0k3n"
	echo "}"
} >"$work/nginx.conf"
nginx -c "$work/nginx.conf" -p "$work" 2>/dev/null &
pids+=($!)
listens() {
	(: <"/dev/tcp/127.0.0.1/$bearer") 2>/dev/null
}
until_ 30 listens || fail "nginx does not start: $(cat "$work/log")"

{
	echo "conn 10.0.0.1:51234 -> 10.0.0.2:80"
	for i in {1..100}; do
		printf 'c| GET /%d HTTP/1.1\nc| Host: example.com\nc|\n\ns| HTTP/1.1 200 x\ns| Content-Length: 0\ns|\n\n' "$i"
	done
} >"$work/talk"
"$B/pcap-make" "$work/talk" "$work/all.pcap" || exit 1
echo a2V5 >"$work/api-key"
echo t0k3n >"$work/token"

send() { # PLACE OPTION...
	timeout -s KILL 60 "$B/perisco" replay "$work/all.pcap" -o "$1" "${@:2}" 2>"$work/said"
}

arrived() { # WHAT WANTED: and nothing is known of a second time
	expect "$1" "$(curl -s "http://127.0.0.1:$backend/report" | jq -r '"\(.ids) \(.again)"')" "$2 0"
}

https=elasticsearch+https
send "$https://elastic:s3%20cr%40t@127.0.0.1:$basic/basic?ca=$work/ours.pem" --strict || fail "basic: $(cat "$work/said")"
arrived "with a password" 100
grep -qE 's3( |%20)cr' "$work/said" && fail "the password is told"
send "$https://127.0.0.1:$key/key?ca=$work/ours.pem&api-key-file=$work/api-key" --strict || fail "API key: $(cat "$work/said")"
arrived "with an API key" 200
send "$https://127.0.0.1:$bearer/bearer?ca=$work/ours.pem&bearer-file=$work/token" --strict || fail "bearer: $(cat "$work/said")"
arrived "with a bearer's token" 300
send "$https://127.0.0.1:$nobody,127.0.0.1:$bearer/hosts?ca=$work/ours.pem&bearer-file=$work/token" ||
	fail "the second host: $(cat "$work/said")"
arrived "by the second host, where the first is away" 400

send "$https://127.0.0.1:$bearer/no?ca=$work/theirs.pem&bearer-file=$work/token" --strict
expect "a certificate of another authority" $? 7
grep -qi certificate "$work/said" || fail "that it is the certificate is not said: $(cat "$work/said")"
send "$https://127.0.0.1:$bearer/no?bearer-file=$work/token" --strict
expect "a certificate that nobody vouches for" $? 7
send "$https://127.0.0.1:$key/no?ca=$work/ours.pem&bearer-file=$work/token" --strict
expect "a wrong secret" $? 7
grep -q 401 "$work/said" || fail "that it is the secret is not said: $(cat "$work/said")"
send "$https://127.0.0.1:$key/no?ca=$work/ours.pem&bearer-file=$work/none" --strict
expect "a secret that cannot be read" $? 7
send "$https://127.0.0.1:$key/no?ca=$work/ours.pem&bearer-file=$work/token"
expect "records that a wrong secret keeps back" "$(grep -o '[0-9]* dropped at the end' "$work/said")" "100 dropped at the end"
arrived "what was not let in" 400
exit $status
