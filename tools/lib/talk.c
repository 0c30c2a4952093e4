/* SPDX-License-Identifier: MIT */
#include "talk.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "craft.h"

void talk_die(const struct talk *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "pcap-make: %s:%u: ", t->name, t->line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

/* --- packets --- */

static void talk_write(struct talk *t, struct packet *pkt)
{
	pkt->ts_ns = t->now;
	t->now += t->step;
	if (pcapwrite_packet(t->out, 0, pkt) < 0)
		talk_die(t, "%s", pcapwrite_error(t->out));
}

/* A packet was captured: those that waited for it have one less to wait for. */
static void talk_tick(struct talk *t)
{
	for (size_t i = 0; i < LATE_MAX; i++) {
		struct late *l = &t->late[i];

		if (!l->after || --l->after)
			continue;
		talk_write(t, &l->pkt);
		free(l->bytes);
		talk_tick(t);
	}
}

static void talk_delay(struct talk *t, const struct packet *pkt, unsigned packets)
{
	struct late *l = t->late;

	while (l < t->late + LATE_MAX && l->after)
		l++;
	if (l == t->late + LATE_MAX)
		talk_die(t, "more than %d packets are late", LATE_MAX);
	*l = (struct late){.pkt = *pkt, .bytes = malloc(pkt->data.n), .after = packets};
	if (!l->bytes)
		talk_die(t, "out of memory");
	memcpy(l->bytes, pkt->data.p, pkt->data.n);
	l->pkt.data.p = l->bytes;
}

/* `segment` is its number in the message; 0: it is of none, and nothing befalls it. */
static bool befalls(uint64_t set, unsigned segment)
{
	return segment && (set & 1 || (segment < 64 && set >> segment & 1));
}

/* Seen from the host, whose end of the link it is. */
static uint8_t direction(const struct talk *t, int side)
{
	if (t->near < 0)
		return DIRECTION_UNKNOWN;
	return side == t->near ? DIRECTION_IN : DIRECTION_OUT;
}

void talk_capture(struct talk *t, int side, unsigned segment, struct slice bytes)
{
	uint32_t cut = segment && t->fate.cut ? t->fate.cut : t->snap;
	struct packet pkt = {
		.wire_len = (uint32_t)bytes.n,
		.link = t->link,
		.dir = direction(t, side),
		.iface = t->has_iface ? &t->iface : NULL,
		.data = slice_first(bytes, cut ? cut : bytes.n),
	};

	t->iface.link = t->link;
	if (befalls(t->fate.lost, segment)) {
		t->now += t->step;
		return;
	}
	if (befalls(t->fate.late, segment)) {
		talk_delay(t, &pkt, t->fate.late_by);
		return;
	}
	for (int i = befalls(t->fate.twice, segment); i >= 0; i--) {
		talk_write(t, &pkt);
		talk_tick(t);
	}
}

/* Cuts the IP payload of a packet into fragments (RFC 791 section 3.2, RFC 8200 section 4.5). */
static void talk_fragment(struct talk *t, int side, unsigned segment, const struct craft *c, uint32_t id)
{
	size_t most = t->fate.fragment / 8 * 8, header = c->tcp, total = c->n - c->tcp;
	struct craft f = {.version = c->version};

	if (!most)
		talk_die(t, "a fragment carries 8 bytes at least");
	for (size_t at = 0; at < total; at += most) {
		bool more = total - at > most;
		size_t n = more ? most : total - at;
		uint8_t *ip = f.bytes + c->ip;

		memcpy(f.bytes, c->bytes, header);
		f.n = header;
		if (f.version == 6) {
			uint8_t *ext = craft_add(&f, IP6_FRAGMENT);

			ext[0] = ip[6];
			ip[6] = IPPROTO_FRAGMENT;
			craft_put16(ext + 2, (uint32_t)at | more);
			craft_put32(ext + 4, id);
			craft_put16(ip + 4, (uint32_t)(IP6_FRAGMENT + n));
		} else {
			craft_put16(ip + 2, (uint32_t)(IP4_HEADER + n));
			craft_put16(ip + 6, (uint32_t)(at / 8) | (more ? 0x2000 : 0));
			craft_finish_ip4(ip, IP4_HEADER);
		}
		memcpy(craft_add(&f, n), c->bytes + c->tcp + at, n);
		talk_capture(t, side, segment, slice_of(f.bytes, f.n));
	}
}

/* The acknowledgement number of a side: SYN and FIN of the other count one each. */
static uint32_t conn_ack(const struct conn *c, int side)
{
	uint64_t at = c->acked[side] + (c->ended[!side] && c->acked[side] == c->at[!side]);

	return c->isn[!side] + 1 + (uint32_t)at;
}

static void conn_send(struct talk *t, struct conn *c, int side, uint8_t flags, uint32_t seq, struct slice data, unsigned segment)
{
	struct craft f = {.version = c->version};
	size_t options = flags & SYN ? 4 : 0;
	uint16_t id = ++c->id[side];
	uint8_t *tcp;

	if (!craft_link(&f, t->link, c->addr[side], c->addr[!side], c->tags))
		talk_die(t, "a link type without a header");
	craft_ip(&f, c->addr[side], c->addr[!side], id);
	f.tcp = f.n;
	tcp = craft_add(&f, TCP_HEADER + options);
	craft_put16(tcp, c->port[side]);
	craft_put16(tcp + 2, c->port[!side]);
	craft_put32(tcp + 4, seq);
	if (flags & ACK)
		craft_put32(tcp + 8, conn_ack(c, side));
	tcp[12] = (uint8_t)((TCP_HEADER + options) / 4 << 4);
	tcp[13] = flags;
	craft_put16(tcp + 14, c->window[side]);
	if (options)
		craft_put32(tcp + TCP_HEADER, 0x02040000 | (c->mss < 65535 ? c->mss : 65535)); /* maximum segment size */
	if (data.n > CRAFT_MAX - f.n || f.n - f.ip + data.n > 65535)
		talk_die(t, "a segment of %zu bytes does not fit into a packet", data.n);
	if (data.n)
		memcpy(craft_add(&f, data.n), data.p, data.n);
	craft_finish(&f);
	if (c->only >= 0 && c->only != side)
		t->now += t->step;
	else if (segment && t->fate.fragment)
		talk_fragment(t, side, segment, &f, id);
	else
		talk_capture(t, side, segment, slice_of(f.bytes, f.n));
}

void conn_segment(struct talk *t, struct conn *c, int side, uint8_t flags, int64_t at, struct slice data, unsigned segment)
{
	conn_send(t, c, side, flags, c->isn[side] + 1 + (uint32_t)at, data, segment);
}

void conn_empty(struct talk *t, struct conn *c, int side, uint8_t flags)
{
	conn_segment(t, c, side, flags, (int64_t)(c->at[side] + c->ended[side]), slice_of(NULL, 0), 0);
}

void conn_acknowledge(struct talk *t, struct conn *c, int side)
{
	c->acked[side] = c->at[!side];
	conn_empty(t, c, side, ACK);
}

void conn_syn(struct talk *t, struct conn *c, int side, struct slice data, unsigned segment)
{
	c->began[side] = true;
	conn_send(t, c, side, side == CLIENT ? SYN : SYN | ACK, c->isn[side], data, segment);
	c->at[side] = data.n;
}

void conn_handshake(struct talk *t, struct conn *c)
{
	if (!c->began[CLIENT])
		conn_syn(t, c, CLIENT, slice_of(NULL, 0), 0);
	c->acked[SERVER] = c->at[CLIENT];
	conn_syn(t, c, SERVER, slice_of(NULL, 0), 0);
	conn_empty(t, c, CLIENT, ACK);
}

void conn_fin(struct talk *t, struct conn *c, int side)
{
	if (!c->mute)
		c->acked[side] = c->at[!side];
	conn_empty(t, c, side, FIN | ACK);
	c->ended[side] = true;
	if (!c->mute)
		conn_acknowledge(t, c, !side);
}

/* --- messages --- */

void speech_add(struct talk *t, const void *p, size_t n)
{
	struct speech *m = &t->speech;

	if (m->n + n > m->room) {
		m->room = (m->n + n) * 2;
		m->p = realloc(m->p, m->room);
		if (!m->p)
			talk_die(t, "out of memory");
	}
	if (n)
		memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void speech_segments(struct talk *t, const struct speech *m)
{
	struct conn *c = m->conn;
	int64_t at = m->placed ? m->offset : (int64_t)c->at[m->side];
	unsigned segment = 1;

	for (size_t done = 0; done < m->n; segment++) {
		size_t n = m->n - done < c->mss ? m->n - done : c->mss;
		uint8_t flags = ACK | (done + n == m->n ? PSH | t->fate.flags : t->fate.flags & ~FIN);

		conn_segment(t, c, m->side, flags, at + (int64_t)done, slice_of(m->p + done, n), segment);
		done += n;
	}
	if (at + (int64_t)m->n > (int64_t)c->at[m->side])
		c->at[m->side] = (uint64_t)at + m->n;
	c->ended[m->side] |= (t->fate.flags & FIN) != 0;
}

void speech_end(struct talk *t)
{
	struct speech *m = &t->speech;
	struct conn *c = m->conn;

	if (!c)
		return;
	if (!c->mute)
		c->acked[m->side] = c->at[!m->side];
	if (c->fast && m->side == CLIENT) {
		c->fast = false;
		conn_syn(t, c, CLIENT, slice_of(m->p, m->n), 1);
		conn_handshake(t, c);
	} else {
		speech_segments(t, m);
		if (!c->mute && !t->fate.quiet)
			conn_acknowledge(t, c, !m->side);
	}
	m->conn = NULL;
	m->n = 0;
	t->fate = (struct fate){0};
}

void talk_end(struct talk *t)
{
	bool again = true;

	speech_end(t);
	while (again) {
		again = false;
		for (size_t i = 0; i < LATE_MAX; i++)
			again |= t->late[i].after > 0;
		talk_tick(t);
	}
	free(t->speech.p);
}
