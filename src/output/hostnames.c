/* SPDX-License-Identifier: MIT */
#include "output/hostnames.h"

#include "output/target.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_label_char(uint8_t c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

/* Labels of letters, digits and dashes (RFC 1123 section 2.1), and underscores; the last one is no number, as in an address. */
static bool is_hostname(struct slice s)
{
	size_t label = 0;
	bool number = true;

	if (!s.n || s.n >= HOSTNAME_SIZE)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.') {
			if (!label || s.p[i - 1] == '-')
				return false;
			label = 0;
			number = true;
			continue;
		}
		if (!is_label_char(s.p[i]) || ++label > 63 || (label == 1 && s.p[i] == '-'))
			return false;
		number &= is_digit(s.p[i]);
	}
	return label && !number && s.p[s.n - 1] != '-';
}

/* What is forwarded to here from elsewhere is called so too, as by kubectl port-forward (RFC 6761 section 6.3). */
static bool is_localhost(struct slice s)
{
	static const struct slice name = SLICE_INIT("localhost");

	return s.n >= name.n && slice_ieq(slice_from(s, s.n - name.n), name) && (s.n == name.n || s.p[s.n - name.n - 1] == '.');
}

/* The name by which the client called the server, or an empty slice. */
static struct slice name_of(const struct record *r)
{
	const struct exchange_record *x = &r->exchange;
	struct slice name = {NULL, 0}, target = x->request.target;

	if (r->kind != RECORD_EXCHANGE || r->ends.tunnel != TUNNEL_NONE || x->response.status < 200 || x->response.status > 399)
		return name;
	if (!target.n || target.p[0] != '/' || slice_eq(x->request.method, SLICE("CONNECT")))
		return name;
	name = authority_host(request_authority(&x->request));
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return is_hostname(name) && !is_localhost(name) ? name : (struct slice){NULL, 0};
}

static uint8_t hash(const uint8_t addr[16])
{
	uint32_t h = 0;

	for (unsigned i = 0; i < 16; i++)
		h = (h ^ addr[i]) * 0x01000193u;
	return (uint8_t)(h >> 24 ^ h >> 12);
}

static struct hostname *add(struct hostnames *h, uint16_t *bucket, const uint8_t addr[16], struct slice name)
{
	struct hostname *e = &h->entry[h->n];

	*e = (struct hostname){.next = *bucket, .first = (uint16_t)h->n};
	memcpy(e->addr, addr, sizeof e->addr);
	for (size_t i = 0; i < name.n; i++)
		e->name[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
	*bucket = (uint16_t)++h->n;
	return e;
}

const struct hostname *hostnames_learn(struct hostnames *h, const struct record *r)
{
	const uint8_t *addr = r->ends.key.addr[!r->ends.client];
	uint16_t *bucket = &h->bucket[hash(addr)];
	struct slice name = name_of(r);
	struct hostname *ret;
	unsigned known = 0;
	uint16_t first = 0;

	if (!name.n || h->n == HOSTNAMES_MAX)
		return NULL;
	for (uint16_t at = *bucket; at; at = h->entry[at - 1].next) {
		const struct hostname *e = &h->entry[at - 1];

		if (memcmp(e->addr, addr, sizeof e->addr) != 0)
			continue;
		if (slice_ieq(slice_str(e->name), name) || ++known == HOSTNAMES_EACH)
			return NULL;
		first = e->first;
	}
	ret = add(h, bucket, addr, name);
	ret->version = (uint8_t)r->ends.key.version;
	if (known)
		ret->first = first;
	return ret;
}
