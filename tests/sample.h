/* SPDX-License-Identifier: MIT */
/*
 * Records made by hand, for tests. Text lies in heap blocks of its exact size, so that a sanitizer sees a read beyond
 * its end.
 */
#ifndef PERISCO_TESTS_SAMPLE_H
#define PERISCO_TESTS_SAMPLE_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "record.h"

struct sample {
	struct record r;
	void *blocks[64];
	size_t n_blocks;
};

static inline void *sample_block(struct sample *s, const void *p, size_t n)
{
	void *block = malloc(n ? n : 1);

	if (!block || s->n_blocks == sizeof(s->blocks) / sizeof(s->blocks[0]))
		abort();
	if (n)
		memcpy(block, p, n);
	return s->blocks[s->n_blocks++] = block;
}

static inline struct slice sample_bytes(struct sample *s, const void *p, size_t n)
{
	return slice_of(sample_block(s, p, n), n);
}

static inline struct slice sample_text(struct sample *s, const char *text)
{
	return sample_bytes(s, text, strlen(text));
}

/* "Name: value\r\n" lines; a value ends at the carriage return. */
static inline struct fields sample_fields(struct sample *s, const char *lines)
{
	struct field v[32];
	uint32_t n = 0;

	for (const char *at = lines; *at; at = strchr(at, '\n') + 1, n++)
		v[n] = (struct field){
			.name = (uint32_t)(at - lines),
			.name_len = (uint32_t)strcspn(at, ":"),
			.value = (uint32_t)(strchr(at, ':') + 2 - lines),
			.value_len = (uint32_t)strcspn(strchr(at, ':') + 2, "\r"),
		};
	return (struct fields){
		.text = sample_block(s, lines, n ? v[n - 1].value + v[n - 1].value_len : 0),
		.v = sample_block(s, v, n * sizeof(v[0])),
		.n = n,
	};
}

/* A side of a key, "10.0.0.1" or "2001:db8::1". */
static inline void sample_end(struct flow_key *k, int side, const char *ip, uint16_t port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	k->version = strchr(ip, ':') ? 6 : 4;
	memcpy(k->addr[side], mapped, sizeof(mapped));
	if (inet_pton(k->version == 4 ? AF_INET : AF_INET6, ip, k->addr[side] + (k->version == 4 ? 12 : 0)) != 1)
		abort();
	k->port[side] = port;
}

/* GET /index.html, 200, 4300 bytes, after 1.2 ms; nothing is missing. 2022-10-04 10:54:09.234567890 UTC. */
static inline void sample_exchange(struct sample *s)
{
	struct exchange_record *x = &s->r.exchange;
	const uint64_t t = 1664880849234567890;

	*s = (struct sample){
		.r = {.kind = RECORD_EXCHANGE, .ts_ns = t, .ends = {.ifname = "", .flow_id = 0x0123456789abcdef}}};
	sample_end(&s->r.ends.key, 0, "10.0.0.1", 51234);
	sample_end(&s->r.ends.key, 1, "10.0.0.2", 80);
	*x = (struct exchange_record){.timed = true, .latency_ns = 1200000, .duration_ns = 1500000, .ended_by = -1};
	x->request =
		(struct message){.seen = true, .complete = true, .first_ns = t, .last_ns = t + 1000, .wire_bytes = 60};
	x->request.protocol = x->response.protocol = sample_text(s, "HTTP/1.1");
	x->request.method = sample_text(s, "GET");
	x->request.target = sample_text(s, "/index.html");
	x->request.headers = sample_fields(s, "Host: 10.0.0.2\r\nUser-Agent: t\r\n");
	x->response = (struct message){.seen = true, .complete = true, .status = 200, .protocol = x->request.protocol};
	x->response.first_ns = t + 1200000;
	x->response.last_ns = t + 1500000;
	x->response.body_bytes = 4300;
	x->response.wire_bytes = 4400;
	x->response.reason = sample_text(s, "OK");
	x->response.headers = sample_fields(s, "Content-Length: 4300\r\n");
}

static inline void sample_release(struct sample *s)
{
	for (size_t i = 0; i < s->n_blocks; i++)
		free(s->blocks[i]);
	s->n_blocks = 0;
}

/*
 * The sample becomes a unary gRPC call of greet.Greeter/SayHello on stream 3: OK, one message of 7 bytes there, of 13 back.
 */
static inline struct grpc_record *sample_call(struct sample *s)
{
	struct exchange_record *x = &s->r.exchange;
	struct grpc_record *g = &x->grpc;

	sample_release(s);
	sample_exchange(s);
	s->r.ends.key.port[1] = 50051;
	x->latency_ns = 800000;
	x->stream_id = 3;
	x->request.protocol = x->response.protocol = sample_text(s, "HTTP/2.0");
	x->request.method = sample_text(s, "POST");
	x->request.target = sample_text(s, "/greet.Greeter/SayHello");
	x->request.authority = sample_text(s, "10.0.0.2:50051");
	x->request.scheme = sample_text(s, "http");
	x->request.headers = sample_fields(s, "content-type: application/grpc\r\nte: trailers\r\n");
	x->request.body_bytes = 12;
	x->response.reason = slice_of(NULL, 0);
	x->response.headers = sample_fields(s, "content-type: application/grpc\r\n");
	x->response.trailers = sample_fields(s, "grpc-status: 0\r\n");
	x->response.body_bytes = 18;
	x->is_grpc = true;
	*g = (struct grpc_record){.messages = {1, 1}, .bytes = {7, 13}, .counted = {true, true}, .cancelled_by = -1};
	g->service = sample_text(s, "greet.Greeter");
	g->method = sample_text(s, "SayHello");
	return g;
}

#endif
