/* SPDX-License-Identifier: MIT */
#include "sink/kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sink/errors.h"
#include "sink/properties.h"

#define PROBE_MS  5000
#define POLL_MS   100
#define CARRY_MS  5000 /* then what was not reported yet is waited for the next time, so that it is told */
#define TOPIC_MAX 249
#define BATCH_MIN 16384 /* bytes: batches are not made smaller than that for the sake of one record */

/* A message that librdkafka has, or had. */
struct sent {
	enum fate fate;
	bool under_way; /* there is no report yet */
	bool suspect;   /* its batch was refused, and it may be to blame */
};

struct kafka {
	rd_kafka_conf_t *conf;
	rd_kafka_t *client; /* NULL: to be made */
	uint64_t batch;     /* bytes that it puts into a batch, but for a message that is larger */
	char *topic;
	struct sent *sent;  /* of all that is under way, and more */
	struct sent **open; /* of each item that was open at the end of the last time, in order */
	size_t n_open, size;
	size_t under_way;   /* messages without a report */
	bool too_large;     /* a batch of several was */
	size_t n_suspect;   /* that are open */
	bool lonely;        /* the client sends each alone, until there are no suspects */
	char why[256];      /* what went wrong last in this try */
	char away[256];     /* what librdkafka said last of brokers, since one took something */
};

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *line)
{
	(void)client, (void)level, (void)facility, (void)line; /* what matters comes as an error, too */
}

/* That all are down is known of each before, with its reason; how often it was so, and when, is left out. */
static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
	const char *detail = strstr(reason, " (after ");
	struct kafka *k = opaque;
	int n = detail ? (int)(detail - reason) : (int)strlen(reason);

	(void)client;
	if (code != RD_KAFKA_RESP_ERR__FATAL && (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !*k->away))
		snprintf(k->away, sizeof(k->away), "%.*s (%s)", n, reason, rd_kafka_err2str((rd_kafka_resp_err_t)code));
}

static void note(struct kafka *k, rd_kafka_resp_err_t err)
{
	if (errors_no_topic(err))
		snprintf(k->why, sizeof(k->why), "there is no topic '%.100s' (%s)", k->topic, rd_kafka_err2str(err));
	else if (errors_explain(err))
		snprintf(k->why, sizeof(k->why), "%s", rd_kafka_err2str(err));
}

static const char *reason(const struct kafka *k)
{
	return *k->why ? k->why : *k->away ? k->away : "there is no answer";
}

static void settle(struct kafka *k, struct sent *sent, rd_kafka_resp_err_t err)
{
	note(k, err);
	if (!err)
		*k->away = 0;
	sent->fate = !err ? FATE_DELIVERED : errors_refuse(err) ? FATE_REFUSED : FATE_OPEN;
	sent->under_way = false;
	if (sent->fate != FATE_OPEN && sent->suspect)
		k->n_suspect--;
}

/* What is said of a batch is said of each in it: who is to blame is seen when they are sent again, fewer at once or alone. */
static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct sent *sent = message->_private;
	struct kafka *k = opaque;
	bool large = errors_too_large(message->err);

	(void)client;
	k->under_way--;
	settle(k, sent, message->err);
	if (sent->fate != FATE_REFUSED || k->lonely || (large && message->len > k->batch))
		return;
	sent->fate = FATE_OPEN;
	if (large && k->batch >= 2 * BATCH_MIN) {
		k->too_large = true;
		return;
	}
	sent->suspect = true;
	k->n_suspect++;
}

/* One at a time is in order as it is, and one that is refused does not stop the others. */
static void be_lonely(rd_kafka_conf_t *conf)
{
	static const char *const properties[][2] = {
		{"enable.gapless.guarantee", "false"}, {"enable.idempotence", "false"}, {"linger.ms", "0"}};

	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		rd_kafka_conf_set(conf, properties[i][0], properties[i][1], NULL, 0);
}

/* 0, or -EINVAL with a line in `why`: librdkafka looks here whether the properties go together. */
static int connect_client(struct kafka *k, char *why, size_t n)
{
	rd_kafka_conf_t *conf;
	char error[256];

	if (k->client)
		return 0;
	conf = rd_kafka_conf_dup(k->conf);
	if (k->lonely)
		be_lonely(conf);
	k->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (k->client)
		return 0;
	rd_kafka_conf_destroy(conf);
	snprintf(why, n, "kafka: %s", error);
	return -EINVAL;
}

/*
 * Takes messages back, and waits a little for reports. It wants to be done again and again: what is sent in part is left out, and
 * queued again when the connection breaks.
 */
static void purge(struct kafka *k, int which)
{
	rd_kafka_purge(k->client, which | RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_poll(k->client, POLL_MS);
}

static void purge_all(struct kafka *k)
{
	purge(k, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

static void drop_client(struct kafka *k)
{
	if (!k->client)
		return;
	while (k->under_way)
		purge_all(k);
	rd_kafka_destroy(k->client);
	k->client = NULL;
}

/* The next client makes smaller batches. */
static void shrink_batch(struct kafka *k)
{
	char value[32];

	k->batch -= k->batch / 2;
	snprintf(value, sizeof(value), "%" PRIu64, k->batch);
	properties_set(k->conf, "batch.size", value, k->why, sizeof(k->why));
}

/* What a broker says of the topic, or why none says anything. */
static rd_kafka_resp_err_t ask(struct kafka *k, rd_kafka_topic_t *topic, int ms)
{
	const struct rd_kafka_metadata *found;
	rd_kafka_resp_err_t err = rd_kafka_metadata(k->client, 0, topic, &found, ms);

	if (err)
		return err;
	err = found->topic_cnt ? found->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	rd_kafka_metadata_destroy(found);
	return err;
}

/* To ask may make the topic, which takes a moment. */
static int kafka_probe(void *self, char *why, size_t n)
{
	uint64_t until = clock_ms() + PROBE_MS;
	struct kafka *k = self;
	rd_kafka_topic_t *topic;
	rd_kafka_resp_err_t err;

	topic = rd_kafka_topic_new(k->client, k->topic, NULL);
	if (!topic) {
		snprintf(why, n, "%s", rd_kafka_err2str(rd_kafka_last_error()));
		return -EINVAL;
	}
	err = ask(k, topic, PROBE_MS);
	while ((errors_no_topic(err) || err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) && clock_ms() < until) {
		rd_kafka_poll(k->client, POLL_MS);
		err = ask(k, topic, PROBE_MS);
	}
	rd_kafka_topic_destroy(topic);
	rd_kafka_poll(k->client, 0); /* what was reported says more than that there was no answer */
	note(k, err);
	snprintf(why, n, "%s", reason(k));
	return err ? -EHOSTUNREACH : 0;
}

/* Hands one to librdkafka, if it has room for it. Its bytes are borrowed until the report. */
static bool produce(struct kafka *k, const struct item *item, struct sent *sent)
{
	char key[17], id[ITEM_ID_MAX];
	rd_kafka_resp_err_t err;

	snprintf(key, sizeof(key), "%016" PRIx64, item->flow_id);
	item_id(item, id);
	err = rd_kafka_producev(k->client, RD_KAFKA_V_TOPIC(k->topic), RD_KAFKA_V_VALUE((void *)item->p, item->n - 1),
				RD_KAFKA_V_KEY(key, item->flow_id ? 16 : 0), RD_KAFKA_V_HEADER("perisco-id", id, -1),
				RD_KAFKA_V_TIMESTAMP((int64_t)(item->ts_ns / 1000000)), RD_KAFKA_V_OPAQUE(sent), RD_KAFKA_V_END);
	if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL && k->under_way)
		return false;
	if (err) {
		settle(k, sent, err);
		return true;
	}
	sent->under_way = true;
	k->under_way++;
	return true;
}

/* Has what came before, as far as it is still open, or else a new batch. False when out of memory. */
static bool remember(struct kafka *k, size_t n)
{
	if (k->n_open == n && n)
		return true;
	if (n > k->size) {
		free(k->sent);
		free(k->open);
		k->sent = calloc(n, sizeof(*k->sent));
		k->open = calloc(n, sizeof(*k->open));
		k->size = k->sent && k->open ? n : 0;
	}
	for (size_t i = 0; i < n && k->size; i++) {
		k->sent[i] = (struct sent){FATE_OPEN, false, false};
		k->open[i] = &k->sent[i];
	}
	k->n_open = k->size ? n : 0;
	return k->n_open == n;
}

static bool is_over(const struct kafka *k)
{
	return k->too_large || (k->n_suspect && !k->lonely) || rd_kafka_fatal_error(k->client, NULL, 0);
}

/* Until each has its report; or for some time, and until all are taken back in a hurry. */
static void await_reports(struct kafka *k, uint64_t until, const atomic_bool *hurry)
{
	while (k->under_way && !is_over(k) && (*hurry || clock_ms() < until))
		if (*hurry)
			purge_all(k);
		else
			rd_kafka_poll(k->client, POLL_MS);
}

/* Produces what librdkafka does not have, in order, waiting for room in its queue. Nothing overtakes what it does not take. */
static void produce_all(struct kafka *k, const struct item *items, uint64_t until, const atomic_bool *hurry)
{
	for (size_t i = 0; i < k->n_open && !*hurry && !is_over(k); i++) {
		if (k->open[i]->under_way)
			continue;
		if (i && !k->open[i - 1]->under_way && k->open[i - 1]->fate == FATE_OPEN)
			return;
		while (!produce(k, &items[i], k->open[i])) {
			if (*hurry || clock_ms() >= until)
				return;
			rd_kafka_poll(k->client, POLL_MS);
		}
	}
}

/* The same, but none before the one ahead of it has its fate, and only until there are no suspects. */
static void produce_each(struct kafka *k, const struct item *items, uint64_t until, const atomic_bool *hurry)
{
	for (size_t i = 0; i < k->n_open && k->n_suspect && !*hurry; i++) {
		if (!k->open[i]->under_way)
			produce(k, &items[i], k->open[i]);
		await_reports(k, until, hurry);
		if (k->open[i]->fate == FATE_OPEN)
			return;
	}
}

/* Takes all back, but waits for what a broker may have, or it would come twice; the next client gets what is open from its start. */
static void begin_again(struct kafka *k, const atomic_bool *hurry)
{
	uint64_t until = clock_ms() + CARRY_MS;
	char fatal[256];

	if (rd_kafka_fatal_error(k->client, fatal, sizeof(fatal)) && !*k->why && !*k->away)
		snprintf(k->why, sizeof(k->why), "%s", fatal);
	while (k->under_way && !*hurry && clock_ms() < until)
		purge(k, RD_KAFKA_PURGE_F_QUEUE);
	drop_client(k);
	if (k->too_large)
		shrink_batch(k);
	k->lonely = k->n_suspect;
	k->too_large = false;
}

/* What is open goes together again. */
static void join(struct kafka *k)
{
	drop_client(k);
	k->lonely = false;
}

/* Gives the items their fates, and keeps what is open. Returns how many are. */
static size_t take_fates(struct kafka *k, struct item *items)
{
	size_t open = 0;

	for (size_t i = 0; i < k->n_open; i++) {
		items[i].fate = k->open[i]->fate;
		if (items[i].fate == FATE_OPEN)
			k->open[open++] = k->open[i];
	}
	k->n_open = open;
	return open;
}

static int kafka_carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	uint64_t until = clock_ms() + CARRY_MS;
	struct kafka *k = self;
	bool cleared;
	size_t open;

	if (!remember(k, n)) {
		snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	if (connect_client(k, why, why_n) < 0)
		return -EINVAL;
	*k->why = 0;
	if (k->lonely)
		produce_each(k, items, until, hurry);
	else
		produce_all(k, items, until, hurry);
	await_reports(k, until, hurry);
	if (is_over(k))
		begin_again(k, hurry);
	open = take_fates(k, items);
	cleared = k->lonely && !k->n_suspect;
	if (cleared)
		join(k);
	snprintf(why, why_n, "%s", reason(k));
	return !open ? 0 : k->under_way || cleared ? -EINPROGRESS : -EIO;
}

static void kafka_close(void *self)
{
	struct kafka *k = self;

	drop_client(k);
	rd_kafka_conf_destroy(k->conf);
	free(k->topic);
	free(k->sent);
	free(k->open);
	free(k);
}

static int check(const struct spec *spec, char *error, size_t n)
{
	size_t length = spec->path ? strlen(spec->path) : 0;

	if (!length || length > TOPIC_MAX ||
	    strspn(spec->path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != length) {
		snprintf(error, n, "'%s': use kafka://HOST[:PORT],.../TOPIC, a topic of letters, digits and ._-", spec->text);
		return -EINVAL;
	}
	return spec_check_hosts(spec, false, true, error, n);
}

/* NULL with a line in `error`. */
static struct kafka *kafka_new(struct spec *spec, char *error, size_t n)
{
	struct kafka *k = calloc(1, sizeof(*k));
	char value[32];

	if (!k || !(k->topic = strdup(spec->path)))
		snprintf(error, n, "out of memory");
	else if ((k->conf = properties_of(spec, error, n)))
		k->batch = strtoull(properties_get(k->conf, "batch.size", value, sizeof(value)), NULL, 10);
	if (k && k->conf)
		return k;
	free(k ? k->topic : NULL);
	free(k);
	return NULL;
}

int kafka_open(struct carrier *ret, struct spec *spec, char *error, size_t n)
{
	struct kafka *k;
	int r;

	r = check(spec, error, n);
	if (r < 0)
		return r;
	k = kafka_new(spec, error, n);
	if (!k)
		return -EINVAL;
	rd_kafka_conf_set_opaque(k->conf, k);
	rd_kafka_conf_set_log_cb(k->conf, on_log);
	rd_kafka_conf_set_error_cb(k->conf, on_error);
	rd_kafka_conf_set_dr_msg_cb(k->conf, on_report);
	*ret = (struct carrier){k, kafka_probe, kafka_carry, kafka_close};
	r = connect_client(k, error, n);
	if (r < 0)
		kafka_close(k);
	return r;
}
